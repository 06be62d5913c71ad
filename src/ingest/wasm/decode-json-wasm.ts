import type { EventPlan, MetricPlan } from '../../core/plan.ts'
import { type DecodedBatch, resetDecodedBatch } from '../../core/rows.ts'
import type { SeriesDictionary } from '../../core/series.ts'
import type { EpochMs } from '../../core/time.ts'
import { JsonParseDecoder, outcomeCode } from '../decode-json-parse.ts'
import type { Decoder, DecoderOptions, DecoderStats } from '../decoder.ts'
import { isoTime } from '../event-time.ts'
import { KeyHash } from '../key-hash.ts'
import { MAX_LINE_BYTES, visitLines } from '../lines.ts'
import { RecordBatches } from '../record-batches.ts'
import {
  cutOffRecord,
  longValue,
  type RecordRun,
  type RecordVisitor,
  RecordWalk,
  type RunVisitor,
} from '../record-run.ts'
import { SeriesSeeds } from '../series-seeds.ts'
import type { SourceBatch } from '../source.ts'
import { decimalText } from '../walked-document.ts'
import { bestBuild, type DecoderExports, type DecoderHost, instantiate } from './wasm-engine.ts'
import { lineWindowEnd, WasmInput } from './wasm-input.ts'
import { WasmProgram } from './wasm-program.ts'
import { WasmRows } from './wasm-rows.ts'
import { WasmViews } from './wasm-views.ts'

/**
 * Batches and lines longer than this never enter the module, whose memory does not shrink: the reference reads them where they
 * are. Kafka's brokers and producers have a default bound of 1 MiB.
 */
const MAX_INPUT_BYTES = 67_108_864

/**
 * Decodes in WebAssembly: walk over records and document, filters, dictionary look-ups, hash and rows. It takes every plan;
 * what is rare is asked of this side (a new series or outcome, patterns, order of strings, odd numbers and dates). As with
 * `json-walk` a document is decoded there as a whole or not at all: whatever is in doubt or wrong with it, the reference
 * decodes it, so that every reject is the reference's.
 */
export class JsonWasmDecoder implements Decoder, RunVisitor, RecordVisitor {
  readonly stats: DecoderStats = { records: 0, fallbacks: 0, internResets: 0 }
  readonly #event: EventPlan
  readonly #metrics: readonly MetricPlan[]
  readonly #dictionaries: readonly SeriesDictionary[]
  readonly #seeds: readonly SeriesSeeds[]
  readonly #reference: JsonParseDecoder
  readonly #batches: RecordBatches
  readonly #exports: DecoderExports
  readonly #views: WasmViews
  readonly #input: WasmInput
  readonly #program: WasmProgram
  readonly #rows: WasmRows
  readonly #walk = new RecordWalk()
  readonly #maxLineBytes: number
  #out: DecodedBatch | undefined

  /** Throws where there is no WebAssembly, or no memory for it. */
  constructor(options: DecoderOptions) {
    const { event, metrics, dictionaries } = options
    this.#event = event
    this.#metrics = metrics
    this.#dictionaries = dictionaries
    const hash = new KeyHash(options.hashKey)
    this.#seeds = dictionaries.map((one) => new SeriesSeeds(one, hash))
    this.#reference = new JsonParseDecoder(options)
    this.#batches = new RecordBatches(options.codecs, options.checkCrc ?? false)
    this.#maxLineBytes = options.maxLineBytes ?? MAX_LINE_BYTES
    this.#walk.visitor = this
    this.#exports = instantiate(options.wasmBuild ?? bestBuild(), this.#host())
    this.#views = new WasmViews(this.#exports)
    this.#program = new WasmProgram(this.#exports, this.#views, event, metrics)
    let word = 0
    this.#program.seed(() => hash.seedOf(['interned texts', String(word++)]))
    this.#rows = new WasmRows(
      this.#exports,
      this.#views,
      this.#program.metrics.map((at, k) => ({ at, values: metrics[k]?.values.length ?? 0 })),
    )
    this.#input = new WasmInput(this.#exports, this.#views)
  }

  decode(batch: SourceBatch, now: EpochMs, out: DecodedBatch): void {
    resetDecodedBatch(out, batch.partition)
    const isLines = batch.framing === 'lines'
    this.#out = out
    this.#reference.begin(now, out, isLines ? this.#maxLineBytes : Number.POSITIVE_INFINITY)
    this.#exports.begin(
      now,
      Math.min(isLines ? this.#maxLineBytes : MAX_INPUT_BYTES, MAX_INPUT_BYTES),
    )
    this.#rows.begin(out)
    this.#input.forget()
    try {
      if (isLines) this.#decodeLines(batch)
      else this.#batches.visitRuns(batch, this)
    } finally {
      this.#flush()
    }
  }

  /** A batch without its header. */
  run(run: RecordRun): void {
    const { bytes, start, end, count, baseOffset, skip, timestamp, appendTime } = run
    if (end - start > MAX_INPUT_BYTES) {
      this.#walk.run(run)
      return
    }
    const from = this.#input.addressOf(bytes, start, end)
    const to = from + end - start
    const broken = this.#exports.records(
      from,
      to,
      count,
      baseOffset,
      skip,
      timestamp,
      appendTime ? 1 : 0,
    )
    if (broken < 0) return
    const index = broken >> 1
    throw (broken & 1) === 0 ? cutOffRecord(baseOffset, index) : longValue(baseOffset, index)
  }

  /** A record that is the reference's. */
  record(bytes: Buffer, start: number, end: number, offset: number, timestamp: number): void {
    const out = this.#flush()
    this.stats.records++
    if (start >= 0) this.stats.fallbacks++
    this.#reference.record(bytes, start, end, offset, timestamp)
    this.#rows.resume(out)
  }

  #decodeLines(batch: SourceBatch): void {
    const { bytes, fromOffset } = batch
    const timestamp = Math.max(0, batch.recordTimestamp)
    let to = 0
    for (let from = 0; from < bytes.length; from = to) {
      to = lineWindowEnd(bytes, from)
      if (to - from > MAX_INPUT_BYTES) {
        const line = { ...batch, bytes: bytes.subarray(from, to), fromOffset: fromOffset + from }
        visitLines(line, this)
      } else {
        const at = this.#input.addressOf(bytes, from, to)
        this.#exports.lines(at, at + to - from, fromOffset + from, timestamp)
      }
    }
  }

  #flush(): DecodedBatch {
    const out = this.#out
    if (out === undefined) throw new Error('rows before decode')
    this.stats.records += this.#rows.flush(out)
    return out
  }

  #host(): DecoderHost {
    const textOf = (symbol: number) => this.#views.textOfSymbol(symbol)
    return {
      leave: (start, end, offset, timestamp) =>
        this.record(this.#views.bytes, start === 0 ? -1 : start, end, offset, timestamp),
      flush: () => this.#flush(),
      forgotten: () => this.stats.internResets++,
      numberOfText: (from, to) => decimalText(this.#views.bytes, from, to),
      isoTimeOfText: (from, to) => isoTime(this.#views.bytes, from, to),
      holdsOfString: (condition, symbol) =>
        this.#program.conditions.holdsOfString(condition, textOf(symbol)),
      holdsOfNumber: (condition, from, to) =>
        this.#program.conditions.holdsOfNumber(condition, this.#views.text(from, to)),
      outcomeOf: (metric, symbol) =>
        outcomeCode(this.#event, this.#metrics[metric] as MetricPlan, textOf(symbol)),
      seriesOf: (metric, tuple, seed) => this.#seriesOf(metric, tuple >>> 2, seed >>> 2),
    }
  }

  #seriesOf(metric: number, tuple: number, seed: number): number {
    const { u32 } = this.#views
    const texts: string[] = []
    for (let k = 0; k < (this.#metrics[metric] as MetricPlan).dimensions.length; k++) {
      texts.push(this.#views.textOfSymbol(u32[tuple + k] as number))
    }
    const series = (this.#dictionaries[metric] as SeriesDictionary).idOf(texts)
    if (series < 0) return -1
    const seeds = this.#seeds[metric] as SeriesSeeds
    u32[seed] = seeds.low(series)
    u32[seed + 1] = seeds.high(series)
    return series
  }
}
