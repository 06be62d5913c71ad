import { existsSync } from 'node:fs'
import type { Config } from '../config/config.ts'
import { WardenError } from '../core/errors.ts'
import { decodeName } from '../sink/point-names.ts'
import { type DeadLetter, readDeadLetters } from './dlq-file.ts'
import { redrive } from './dlq-redrive.ts'

export interface DlqOptions {
  readonly config: Config
  /** Letters in another file, say a copy of the topic they go to; undefined: those that the config names. */
  readonly file?: string | undefined
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

/** Of a record that could not be read or counted. */
const notRedriven =
  'a record, no point: it was never counted, and there is nothing to write; mend it and have it sent again as a new event'

/** One letter in full, names of its point as the texts they stand for. @throws WardenError `usage` when there is none */
export async function showDeadLetter(options: DlqOptions, number: number): Promise<void> {
  for await (const letter of lettersOf(options)) {
    if (letter.number !== number) continue
    const { print } = options
    print(`${JSON.stringify(letter.record, undefined, 2)}\n`)
    if (letter.refused === undefined) print(`${notRedriven}\n`)
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
  const { config, print } = options
  const letters: DeadLetter[] = []
  let records = 0
  for await (const letter of lettersOf(options)) {
    const isNamed = numbers.has(letter.number)
    if (numbers.size > 0 && !isNamed) continue
    if (letter.refused === undefined) {
      records++
      if (isNamed) print(`${letter.number}  ${letter.reason}: ${notRedriven}\n`)
    } else if (!letter.redriven) letters.push(letter)
  }
  if (numbers.size === 0 && records > 0) {
    print(`${records} records that could not be read or counted stay; warden dlq show says more\n`)
  }
  const isSettled = await redrive({ config, file: fileOf(options), letters, overwrite, print })
  return isSettled && (numbers.size === 0 || records === 0)
}

async function* lettersOf(options: DlqOptions): AsyncGenerator<DeadLetter> {
  const { reason, sink } = options
  for await (const letter of readDeadLetters(fileOf(options))) {
    if (reason !== undefined && letter.reason !== reason) continue
    if (sink !== undefined && letter.refused?.sink !== sink) continue
    yield letter
  }
}

function fileOf({ config, file }: DlqOptions): string {
  if (file !== undefined) {
    if (existsSync(file)) return file
    throw new WardenError('usage', `there is no file ${file}`)
  }
  const { deadLetters } = config
  if (deadLetters.type === 'file') return deadLetters.path
  const { topic, brokers } = deadLetters
  throw new WardenError(
    'usage',
    `${config.file}: dead letters go to the Kafka topic ${topic}. Copy it to a file and name that with --file, for instance:
  kafka-console-consumer --bootstrap-server ${brokers.join(',')} --topic ${topic} --from-beginning --timeout-ms 10000 > letters.jsonl`,
  )
}
