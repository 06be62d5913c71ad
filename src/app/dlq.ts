import type { Config } from '../config/config.ts'
import { WardenError } from '../core/errors.ts'
import { decodeName } from '../sink/point-names.ts'
import { type DeadLetter, readDeadLetters } from './dlq-file.ts'
import { redrive } from './dlq-redrive.ts'

export interface DlqOptions {
  readonly config: Config
  /** Only letters with this reason; undefined: all. */
  readonly reason: string | undefined
  /** Only points refused by this sink; undefined: all letters. */
  readonly sink: string | undefined
  readonly print: (text: string) => void
}

/** The letters, a line each, the latest `limit` of them, and how many there are of each reason. */
export async function listDeadLetters(options: DlqOptions, limit: number): Promise<void> {
  const latest: DeadLetter[] = []
  const counts = new Map<string, { all: number; redriven: number }>()
  for await (const letter of lettersOf(options)) {
    const count = counts.get(letter.reason) ?? { all: 0, redriven: 0 }
    count.all++
    if (letter.redriven) count.redriven++
    counts.set(letter.reason, count)
    latest.push(letter)
    if (latest.length > limit) latest.shift()
  }
  const { print } = options
  for (const { number, reason, where, detail, redriven } of latest) {
    print([number, reason, where, detail, redriven ? '(redriven)' : ''].filter(Boolean).join('  '))
    print('\n')
  }
  if (counts.size === 0) print('no dead letters\n')
  for (const [reason, { all, redriven }] of counts) {
    print(`${all} ${reason}${redriven === 0 ? '' : `, ${redriven} of them redriven`}\n`)
  }
}

/** One letter in full, names of its point as the texts they stand for. @throws WardenError `usage` when there is none */
export async function showDeadLetter(options: DlqOptions, number: number): Promise<void> {
  for await (const letter of lettersOf(options)) {
    if (letter.number !== number) continue
    const { print } = options
    print(`${JSON.stringify(letter.record, undefined, 2)}\n`)
    for (const [key, value] of Object.entries(letter.refused?.point.tags ?? {})) {
      const meaning = decodeName(value)
      if (meaning !== undefined && meaning !== value) print(`${key}: ${meaning}\n`)
    }
    return
  }
  throw new WardenError('usage', `there is no dead letter ${number}; see warden dlq list`)
}

/**
 * Writes refused points to their sinks once more. Only while no Warden runs on the state.
 * @param numbers only these letters; empty: all
 * @returns whether all of them are settled now
 * @throws WardenError `state_locked` while a Warden runs
 */
export async function redriveDeadLetters(
  options: DlqOptions,
  numbers: ReadonlySet<number>,
  overwrite: boolean,
): Promise<boolean> {
  const letters: DeadLetter[] = []
  for await (const letter of lettersOf(options)) {
    const isMeant = numbers.size === 0 || numbers.has(letter.number)
    if (isMeant && !letter.redriven && letter.refused !== undefined) letters.push(letter)
  }
  const { config, print } = options
  return await redrive({ config, file: fileOf(config), letters, overwrite, print })
}

async function* lettersOf(options: DlqOptions): AsyncGenerator<DeadLetter> {
  const { config, reason, sink } = options
  for await (const letter of readDeadLetters(fileOf(config))) {
    if (reason !== undefined && letter.reason !== reason) continue
    if (sink !== undefined && letter.refused?.sink !== sink) continue
    yield letter
  }
}

function fileOf({ deadLetters, file }: Config): string {
  if (deadLetters.type === 'file') return deadLetters.path
  throw new WardenError(
    'usage',
    `${file}: dead letters go to the Kafka topic ${deadLetters.topic}: read them there; dlq knows files only`,
  )
}
