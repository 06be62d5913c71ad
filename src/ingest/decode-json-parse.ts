import {
  type EventPlan,
  type MetricPlan,
  needsIntegerUser,
  needsOutcome,
  needsUser,
  OTHER_OUTCOME,
  type TimePlan,
} from '../core/plan.ts'
import {
  type DecodedBatch,
  type MetricRows,
  type RejectReason,
  resetDecodedBatch,
} from '../core/rows.ts'
import { type EpochMs, epochMs } from '../core/time.ts'
import { holds } from './condition.ts'
import { appendEvent, appendReject, type RawRecord, rowsOf } from './decoded-rows.ts'
import type { Decoder, DecoderOptions, DecoderStats } from './decoder.ts'
import { isoTime, readsIsoTime, timeFault, timeOfNumber } from './event-time.ts'
import { integerUser } from './integer-user.ts'
import { KeyHash } from './key-hash.ts'
import { MAX_LINE_BYTES, visitLines } from './lines.ts'
import { ParsedDocument } from './parsed-document.ts'
import { RecordBatches } from './record-batches.ts'
import type { RecordVisitor } from './record-run.ts'
import { SeriesSeeds } from './series-seeds.ts'
import type { SourceBatch } from './source.ts'

/** Why something is refused, and what exactly, for a person. */
interface Refusal {
  readonly reason: RejectReason
  readonly detail: string
}

const documentFaults = {
  invalid_utf8: 'the value is not valid UTF-8',
  not_json: 'the value is not a JSON document',
  not_an_object: 'the value is JSON, but not an object',
} as const

/** Numbers written as a string. */
const numericText = /^-?\d+(\.\d+)?([eE][+-]?\d+)?$/

const encoder = new TextEncoder()

/** The reference: one JSON.parse per document, then the rules as they are written down. Every reject of any decoder is its word. */
export class JsonParseDecoder implements Decoder, RecordVisitor {
  readonly stats: DecoderStats = { records: 0, fallbacks: 0, internResets: 0 }
  readonly #event: EventPlan
  readonly #metrics: readonly MetricPlan[]
  readonly #options: DecoderOptions
  readonly #hash: KeyHash
  readonly #seeds: readonly SeriesSeeds[]
  /** By metric: the lower half of the key is the user. */
  readonly #integers: readonly boolean[]
  readonly #batches: RecordBatches
  readonly #raw: RawRecord = { bytes: Buffer.alloc(0), start: 0, end: 0, offset: 0, timestamp: 0 }
  readonly #maxLineBytes: number
  #out: DecodedBatch | undefined
  #now: EpochMs = epochMs(0)
  #maxBytes = Number.POSITIVE_INFINITY

  constructor(options: DecoderOptions) {
    this.#options = options
    this.#event = options.event
    this.#metrics = options.metrics
    this.#hash = new KeyHash(options.hashKey)
    this.#integers = options.metrics.map(needsIntegerUser)
    this.#seeds = options.dictionaries.map((one) => new SeriesSeeds(one, this.#hash))
    this.#batches = new RecordBatches(options.codecs, options.checkCrc ?? false)
    this.#maxLineBytes = options.maxLineBytes ?? MAX_LINE_BYTES
  }

  decode(batch: SourceBatch, now: EpochMs, out: DecodedBatch): void {
    resetDecodedBatch(out, batch.partition)
    this.begin(now, out, batch.framing === 'lines' ? this.#maxLineBytes : Number.POSITIVE_INFINITY)
    if (batch.framing === 'lines') visitLines(batch, this)
    else this.#batches.visit(batch, this)
  }

  /** Takes the target of the `record` calls that follow. */
  begin(now: EpochMs, out: DecodedBatch, maxBytes: number): void {
    this.#now = now
    this.#out = out
    this.#maxBytes = maxBytes
  }

  record(bytes: Buffer, start: number, end: number, offset: number, timestamp: number): void {
    const out = this.#out
    if (out === undefined) throw new Error('record before decode')
    this.stats.records++
    out.records++
    out.lastRecordTimestamp = timestamp
    const raw = this.#raw
    raw.bytes = bytes
    raw.start = start
    raw.end = end
    raw.offset = offset
    raw.timestamp = timestamp
    const refusal = this.#document(raw, out)
    if (refusal !== undefined) appendReject(out, raw, refusal.reason, refusal.detail, undefined)
  }

  #document(raw: RawRecord, out: DecodedBatch): Refusal | undefined {
    const length = raw.end - raw.start
    if (raw.start < 0) return { reason: 'empty', detail: 'the value is null (a tombstone)' }
    if (length === 0) return { reason: 'empty', detail: 'the value has no bytes' }
    if (length > this.#maxBytes) {
      return { reason: 'too_large', detail: `${length} bytes; the bound is ${this.#maxBytes}` }
    }
    const document = ParsedDocument.read(raw.bytes.subarray(raw.start, raw.end))
    if (typeof document === 'string') return { reason: document, detail: documentFaults[document] }
    const { marks } = this.#event.watermark
    if (marks !== undefined && holds(marks.where, document.read)) {
      const watermark = this.#time(document, raw, marks.time)
      if (typeof watermark !== 'number') return watermark
      out.marks.push({ event: out.length, watermark })
      return undefined
    }
    const time = this.#time(document, raw, this.#event.time)
    if (typeof time !== 'number') return time
    appendEvent(out, time, raw.offset)
    if (this.#event.where !== undefined && !holds(this.#event.where, document.read))
      return undefined
    for (const [index, metric] of this.#metrics.entries()) {
      const refusal = this.#row(document, metric, index, out)
      if (refusal !== undefined) appendReject(out, raw, refusal.reason, refusal.detail, metric.name)
    }
    return undefined
  }

  #time(document: ParsedDocument, raw: RawRecord, { format, path }: TimePlan): number | Refusal {
    const name = format === 'record' ? 'record timestamp' : path.join('.')
    let time = Number.NaN
    if (format === 'record') {
      if (raw.timestamp <= 0)
        return { reason: 'missing_time', detail: `${name}: the record has none` }
      time = raw.timestamp
    } else {
      const value = document.valueAt(path)
      if (value === undefined || value === null) {
        return { reason: 'missing_time', detail: `${name}: ${value === null ? 'null' : 'missing'}` }
      }
      if (typeof value === 'number') time = timeOfNumber(format, value)
      else if (typeof value === 'string' && numericText.test(value)) {
        time = timeOfNumber(format, Number(value))
      } else if (typeof value === 'string' && readsIsoTime(format)) {
        const bytes = encoder.encode(value)
        time = isoTime(bytes, 0, bytes.length)
      }
    }
    const { minEventTime, maxFutureSkew } = this.#event
    const fault = timeFault(time, minEventTime, maxFutureSkew, this.#now, raw.timestamp)
    if (fault === undefined) return time
    const shown = format === 'record' ? String(time) : shortened(document.valueAt(path))
    const why = {
      bad_time: `is no time in the format ${format}`,
      time_too_old: `is before ${minEventTime}`,
      time_in_future: `is more than ${maxFutureSkew} ms ahead`,
    }[fault]
    return { reason: fault, detail: `${name}: ${shown} ${why}` }
  }

  /** Appends the metric's row, or says why there is none; undefined also for events that the metric does not want. */
  #row(
    document: ParsedDocument,
    metric: MetricPlan,
    index: number,
    out: DecodedBatch,
  ): Refusal | undefined {
    if (metric.where !== undefined && !holds(metric.where, document.read)) return undefined
    const dimensions = dimensionsOf(document, metric)
    if (!Array.isArray(dimensions)) return dimensions as Refusal
    const user = needsUser(metric) ? userOf(document, this.#event) : ''
    if (typeof user !== 'string') return user
    if (needsIntegerUser(metric) && !isIntegerUser(user)) {
      const name = (this.#event.user ?? []).join('.')
      return badType(name, user, 'a whole number from 0 to 4294967295 (dedup: bitmap)')
    }
    const outcome = needsOutcome(metric) ? outcomeOf(document, this.#event, metric) : OTHER_OUTCOME
    if (typeof outcome !== 'number') return outcome
    const values: number[] = []
    for (const { name, path } of metric.values) {
      const value = numberOf(document.valueAt(path))
      if (value === undefined)
        return badType(`${name} (${path.join('.')})`, document.valueAt(path), 'a number')
      values.push(value)
    }
    const series = this.#options.dictionaries[index]?.idOf(dimensions) ?? -1
    if (series < 0) {
      const detail = `more than ${metric.maxSeries} series; new: ${shortened(dimensions.join(', '))}`
      return { reason: 'too_many_series', detail }
    }
    this.#append(rowsOf(out, index), out.length - 1, index, series, user, outcome, values)
    return undefined
  }

  #append(
    rows: MetricRows,
    event: number,
    metric: number,
    series: number,
    user: string,
    outcome: number,
    values: readonly number[],
  ): void {
    const at = rows.length++
    rows.event[at] = event
    rows.series[at] = series
    rows.outcome[at] = outcome
    for (const [column, value] of values.entries()) {
      const target = rows.values[column]
      if (target !== undefined) target[at] = value
    }
    const seeds = this.#seeds[metric]
    if (user === '' || seeds === undefined) return
    const bytes = encoder.encode(user)
    this.#hash.user(bytes, 0, bytes.length, seeds.high(series), seeds.low(series))
    rows.keyHigh[at] = this.#hash.high
    rows.keyLow[at] = this.#integers[metric] ? Number(user) : this.#hash.low
  }
}

function isIntegerUser(user: string): boolean {
  const bytes = encoder.encode(user)
  return integerUser(bytes, 0, bytes.length) >= 0
}

function dimensionsOf(document: ParsedDocument, metric: MetricPlan): string[] | Refusal {
  const texts: string[] = []
  for (const { name, path, missing } of metric.dimensions) {
    const value = document.valueAt(path)
    const text = value === undefined || value === null ? missing : document.textAt(path)
    if (text !== undefined) texts.push(text)
    else if (value === undefined || value === null) {
      return { reason: 'missing_dimension', detail: `${name} (${path.join('.')}): missing` }
    } else return badType(`${name} (${path.join('.')})`, value, 'a string, number or boolean')
  }
  return texts
}

function userOf(document: ParsedDocument, event: EventPlan): string | Refusal {
  if (event.user === undefined)
    return { reason: 'missing_user', detail: 'no user field is configured' }
  const name = event.user.join('.')
  const value = document.valueAt(event.user)
  if (value === undefined || value === null || value === '') {
    return { reason: 'missing_user', detail: `${name}: ${value === '' ? 'empty' : 'missing'}` }
  }
  const text = typeof value === 'boolean' ? undefined : document.textAt(event.user)
  return text ?? badType(name, value, 'a string or number')
}

function outcomeOf(
  document: ParsedDocument,
  event: EventPlan,
  metric: MetricPlan,
): number | Refusal {
  if (event.outcome === undefined) {
    return { reason: 'missing_outcome', detail: 'no outcome field is configured' }
  }
  const name = event.outcome.join('.')
  const value = document.valueAt(event.outcome)
  if (value === undefined || value === null) {
    return { reason: 'missing_outcome', detail: `${name}: missing` }
  }
  const text = document.textAt(event.outcome)
  if (text === undefined) return badType(name, value, 'a string, number or boolean')
  return outcomeCode(event, metric, text)
}

/** Code of an outcome as the source writes it. */
export function outcomeCode(event: EventPlan, metric: MetricPlan, text: string): number {
  return metric.outcomes.indexOf(event.outcomeNames.get(text) ?? text) + 1
}

/** NaN for a missing value; undefined for one that is no finite number. */
function numberOf(value: unknown): number | undefined {
  if (value === undefined || value === null) return Number.NaN
  if (typeof value === 'string' && !numericText.test(value)) return undefined
  if (typeof value !== 'number' && typeof value !== 'string') return undefined
  return Number.isFinite(Number(value)) ? Number(value) : undefined
}

function badType(name: string, value: unknown, wanted: string): Refusal {
  return { reason: 'bad_field_type', detail: `${name}: ${shortened(value)} is not ${wanted}` }
}

function shortened(value: unknown): string {
  if (typeof value === 'object' && value !== null) {
    return Array.isArray(value) ? 'an array' : 'an object'
  }
  const text = JSON.stringify(typeof value === 'string' ? value.slice(0, 100) : value)
  return text.length <= 80 ? text : `${text.slice(0, 79)}…`
}
