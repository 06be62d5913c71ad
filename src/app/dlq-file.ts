import { createHash } from 'node:crypto'
import { appendFileSync, createReadStream, existsSync, readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { WardenError } from '../core/errors.ts'
import type { DataPoint } from '../sink/sink.ts'

/** One line of the dead-letter file. */
export interface DeadLetter {
  /** Of the line in the file, from 1. */
  readonly number: number
  readonly reason: string
  /** What of it a person looks for: source, partition and offset, or sink and point. */
  readonly where: string
  /** More than the reason says; empty when there is nothing more. */
  readonly detail: string
  /** The point that a sink refused; undefined for a record that could not be read or counted. */
  readonly refused: { readonly sink: string; readonly point: DataPoint } | undefined
  readonly redriven: boolean
  readonly record: Readonly<Record<string, unknown>>
  /** Names the line by its content: files are cut and moved away. */
  readonly id: string
}

const idLength = 24
const journalOf = (file: string): string => `${file}.redriven`

/** Every whole line of a dead-letter file, in order; a line that a running Warden is just writing is left out. */
export async function* readDeadLetters(file: string): AsyncGenerator<DeadLetter> {
  if (!existsSync(file)) return
  const redriven = readJournal(file)
  const lines = createInterface({ input: createReadStream(file), crlfDelay: Infinity })
  let number = 0
  for await (const line of lines) {
    number++
    const record = parse(line)
    if (record === undefined) continue
    const id = createHash('sha256').update(line).digest('hex').slice(0, idLength)
    const refused = refusedPoint(record)
    yield {
      number,
      reason: text(record.reason) || 'unknown',
      where: refused === undefined ? placeOf(record) : `${refused.sink}: ${name(refused.point)}`,
      detail: text(record.detail) || text(record.message),
      refused,
      redriven: redriven.has(id),
      record,
      id,
    }
  }
}

/** Remembers beside the file that these letters need no redrive any more. @throws WardenError `state_write_failed` */
export function noteRedriven(file: string, letters: readonly DeadLetter[]): void {
  try {
    appendFileSync(journalOf(file), letters.map(({ id }) => `${id}\n`).join(''))
  } catch (cause) {
    const what = `the points are written, but that can't be noted in ${journalOf(file)}: ${String(cause)}`
    throw new WardenError('state_write_failed', what, { cause })
  }
}

function readJournal(file: string): ReadonlySet<string> {
  const journal = journalOf(file)
  return new Set(existsSync(journal) ? readFileSync(journal, 'utf8').split('\n') : [])
}

function parse(line: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(line)
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

function refusedPoint(record: Readonly<Record<string, unknown>>): DeadLetter['refused'] {
  const { reason, sink, point } = record
  if (reason !== 'refused_by_sink' || typeof sink !== 'string' || !isObject(point)) return undefined
  const isPoint =
    typeof point.metric === 'string' &&
    isObject(point.tags) &&
    ['timestamp', 'value', 'incarnation', 'revision'].every((key) => typeof point[key] === 'number')
  return isPoint ? { sink, point: point as unknown as DataPoint } : undefined
}

function placeOf(record: Readonly<Record<string, unknown>>): string {
  const { source, partition, offset } = record
  return [source, partition, offset].map(text).filter(Boolean).join('/')
}

/** `metric{tag=value,…}@2026-11-20T14:00:00Z` */
export function name({ metric, tags, timestamp }: DataPoint): string {
  const labels = Object.entries(tags).map(([key, value]) => `${key}=${value}`)
  const at = new Date(timestamp * 1_000).toISOString().replace('.000', '')
  return `${metric}{${labels.join(',')}}@${at}`
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const text = (value: unknown): string =>
  typeof value === 'string' || typeof value === 'number' ? String(value) : ''
