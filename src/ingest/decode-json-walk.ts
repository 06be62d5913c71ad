import type { EventPlan, TimeFormat } from '../core/plan.ts'
import { type DecodedBatch, resetDecodedBatch } from '../core/rows.ts'
import { type EpochMs, epochMs } from '../core/time.ts'
import { type CompiledFilter, compileFilter, SymbolsFull } from './compiled-filter.ts'
import { JsonParseDecoder } from './decode-json-parse.ts'
import { appendEvent, rowsOf } from './decoded-rows.ts'
import type { Decoder, DecoderOptions, DecoderStats } from './decoder.ts'
import { isoTime, readsIsoTime, timeFault, timeOfNumber } from './event-time.ts'
import { STRING } from './json-walk.ts'
import { KeyHash } from './key-hash.ts'
import { MAX_LINE_BYTES, visitLines } from './lines.ts'
import { pathsRead } from './paths-read.ts'
import { RecordBatches } from './record-batches.ts'
import type { RecordVisitor } from './record-run.ts'
import type { SourceBatch } from './source.ts'
import { WalkedDocument } from './walked-document.ts'
import { WalkedMetric } from './walked-metric.ts'

/**
 * Decodes without an object, string or closure per event. A document is decoded here as a whole or not at all: whatever is in
 * doubt or wrong with it, its rows are taken back and the reference decodes it, so that every reject is the reference's.
 */
export class JsonWalkDecoder implements Decoder, RecordVisitor {
  readonly stats: DecoderStats = { records: 0, fallbacks: 0, internResets: 0 }
  readonly #event: EventPlan
  readonly #reference: JsonParseDecoder
  readonly #batches: RecordBatches
  readonly #document: WalkedDocument
  readonly #where: CompiledFilter | undefined
  /** Records that say a watermark: they are rare, and the reference reads them. */
  readonly #marks: CompiledFilter | undefined
  readonly #metrics: readonly WalkedMetric[]
  readonly #timeSlot: number
  readonly #format: TimeFormat
  readonly #maxLineBytes: number
  /** Rows per metric before the document. */
  readonly #rowsBefore: Int32Array
  #out: DecodedBatch | undefined
  #now: EpochMs = epochMs(0)
  #maxBytes = Number.POSITIVE_INFINITY

  constructor(options: DecoderOptions) {
    const { event, metrics } = options
    this.#event = event
    this.#reference = new JsonParseDecoder(options)
    this.#batches = new RecordBatches(options.codecs, options.checkCrc ?? false)
    const document = new WalkedDocument(pathsRead(event, metrics))
    this.#document = document
    this.#where = event.where === undefined ? undefined : compileFilter(event.where, document)
    const { marks } = event.watermark
    this.#marks = marks === undefined ? undefined : compileFilter(marks.where, document)
    const hash = new KeyHash(options.hashKey)
    this.#metrics = metrics.map((metric, index) => {
      const dictionary = options.dictionaries[index]
      if (dictionary === undefined) throw new RangeError(`no dictionary for metric ${metric.name}`)
      return new WalkedMetric(metric, event, document, dictionary, hash)
    })
    this.#rowsBefore = new Int32Array(metrics.length)
    this.#format = event.time.format
    this.#timeSlot = event.time.format === 'record' ? -1 : document.slot(event.time.path)
    this.#maxLineBytes = options.maxLineBytes ?? MAX_LINE_BYTES
  }

  decode(batch: SourceBatch, now: EpochMs, out: DecodedBatch): void {
    resetDecodedBatch(out, batch.partition)
    this.#out = out
    this.#now = now
    this.#maxBytes = batch.framing === 'lines' ? this.#maxLineBytes : Number.POSITIVE_INFINITY
    this.#reference.begin(now, out, this.#maxBytes)
    if (batch.framing === 'lines') visitLines(batch, this)
    else this.#batches.visit(batch, this)
  }

  record(bytes: Buffer, start: number, end: number, offset: number, timestamp: number): void {
    const out = this.#out
    if (out === undefined) throw new Error('record before decode')
    this.stats.records++
    if (
      start >= 0 &&
      end - start <= this.#maxBytes &&
      this.#document.read(bytes, start, end) &&
      !this.#isMark() &&
      this.#append(out, offset, timestamp)
    ) {
      out.records++
      out.lastRecordTimestamp = timestamp
      return
    }
    if (start >= 0) this.stats.fallbacks++
    this.#reference.record(bytes, start, end, offset, timestamp)
  }

  /** True also when it can't be told now. */
  #isMark(): boolean {
    if (this.#marks === undefined) return false
    try {
      return this.#marks.holds(this.#document)
    } catch (error) {
      if (!(error instanceof SymbolsFull)) throw error
      this.#clearSymbols()
      return true
    }
  }

  /** Appends the event and its rows; false when nothing was appended and the reference has to. */
  #append(out: DecodedBatch, offset: number, timestamp: number): boolean {
    const time = this.#time(timestamp)
    const { minEventTime, maxFutureSkew } = this.#event
    if (timeFault(time, minEventTime, maxFutureSkew, this.#now, timestamp) !== undefined)
      return false
    const event = out.length
    const maxTime = out.maxTime
    appendEvent(out, time, offset)
    for (let k = 0; k < this.#metrics.length; k++) this.#rowsBefore[k] = rowsOf(out, k).length
    try {
      if (this.#where !== undefined && !this.#where.holds(this.#document)) return true
      let sure = true
      for (let k = 0; sure && k < this.#metrics.length; k++) {
        sure = (this.#metrics[k] as WalkedMetric).append(event, rowsOf(out, k))
      }
      if (sure) return true
    } catch (error) {
      if (!(error instanceof SymbolsFull)) throw error
      this.#clearSymbols()
    }
    out.length = event
    out.maxTime = maxTime
    for (let k = 0; k < this.#metrics.length; k++) {
      rowsOf(out, k).length = this.#rowsBefore[k] as number
    }
    return false
  }

  /** NaN when the document has no readable time. */
  #time(timestamp: number): number {
    const format = this.#format
    if (format === 'record') return timestamp > 0 ? timestamp : Number.NaN
    const slot = this.#timeSlot
    const document = this.#document
    const value = document.numberOf(slot)
    if (!Number.isNaN(value)) return timeOfNumber(format, value)
    if (document.kind[slot] !== STRING || !readsIsoTime(format)) return Number.NaN
    return isoTime(
      document.bytesOf(slot),
      document.from[slot] as number,
      document.to[slot] as number,
    )
  }

  #clearSymbols(): void {
    this.stats.internResets++
    this.#document.clearSymbols()
    this.#where?.clear()
    this.#marks?.clear()
    for (const metric of this.#metrics) metric.clearSymbols()
  }
}
