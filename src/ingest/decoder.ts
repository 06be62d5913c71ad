import type { EventPlan, MetricPlan } from '../core/plan.ts'
import type { DecodedBatch } from '../core/rows.ts'
import type { SeriesDictionary } from '../core/series.ts'
import type { EpochMs } from '../core/time.ts'
import type { RecordCodecs } from './record-batches.ts'
import type { SourceBatch } from './source.ts'
import type { WasmBuild } from './wasm/wasm-engine.ts'

/**
 * `json-parse`: the reference, JSON.parse per document.
 * `json-walk`: reads the configured fields from the bytes and hands every document it is not sure of to `json-parse`.
 * `json-wasm`: the same in WebAssembly, with vector instructions where the processor has them.
 * All give equal rows, rejects and hashes for every plan.
 */
export type DecoderKind = 'json-wasm' | 'json-walk' | 'json-parse'

/** Port: bytes in, rows in columns out. */
export interface Decoder {
  readonly stats: DecoderStats
  /**
   * Resets `out` and fills it with the records of `batch`; grows it where needed.
   * Throws a WardenError: `source_unsupported` (old record format, codec that this Node can't read), `source_corrupt`.
   * @param now wall clock, for the guard against times in the future
   */
  decode(batch: SourceBatch, now: EpochMs, out: DecodedBatch): void
}

/** Counted since the decoder was made. */
export interface DecoderStats {
  /** Records read, rejects included. */
  records: number
  /** Documents that `json-walk` or `json-wasm` left to JSON.parse. */
  fallbacks: number
  /** Times the interned texts outgrew their bound and were forgotten; often means that a filter or dimension reads a field with a value per event. */
  internResets: number
}

export interface DecoderOptions {
  readonly event: EventPlan
  /** Metrics that read the source, in the order of the plan; `DecodedBatch.metrics` has the same order. */
  readonly metrics: readonly MetricPlan[]
  /** One per metric. */
  readonly dictionaries: readonly SeriesDictionary[]
  /** 16 secret bytes of the job. */
  readonly hashKey: Uint8Array
  /** Decompression and checksums of Kafka record batches; without it compressed batches are refused. */
  readonly codecs?: RecordCodecs
  /** Verifies the CRC32C of every record batch; false by default: TCP and the broker did. */
  readonly checkCrc?: boolean
  /** Longest document of `lines` framing, in bytes; 1 MiB by default. Kafka's own limit holds for Kafka. */
  readonly maxLineBytes?: number
  /** Of `json-wasm`; what this process can run by default. */
  readonly wasmBuild?: WasmBuild
}
