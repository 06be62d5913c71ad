import type { EventPlan, MetricPlan } from '../../src/core/plan.ts'
import { createDecodedBatch, type DecodedBatch } from '../../src/core/rows.ts'
import { SeriesDictionary } from '../../src/core/series.ts'
import { durationMs, epochMs } from '../../src/core/time.ts'
import { createDecoder } from '../../src/ingest/create-decoder.ts'
import type { Decoder, DecoderKind, DecoderOptions } from '../../src/ingest/decoder.ts'
import type { SourceBatch } from '../../src/ingest/source.ts'

export const HASH_KEY = Uint8Array.from({ length: 16 }, (_, index) => index)

/** 2023-11-14T22:13:20Z: the wall clock of decode tests. */
export const NOW = epochMs(1_700_000_000_000)

export function eventPlan(overrides: Partial<EventPlan> = {}): EventPlan {
  return {
    source: 'orders',
    time: { path: ['eventTime'], format: 'auto' },
    user: ['userId'],
    outcome: ['status'],
    outcomeNames: new Map([['SUCC', 'success']]),
    where: undefined,
    minEventTime: epochMs(1_000_000_000_000),
    maxFutureSkew: durationMs(60_000),
    watermark: {
      outOfOrderness: durationMs(20_000),
      idleTimeout: durationMs(60_000),
      maxDrift: durationMs(Number.POSITIVE_INFINITY),
    },
    ...overrides,
  }
}

export function metricPlan(overrides: Partial<MetricPlan> = {}): MetricPlan {
  return {
    name: 'orders',
    source: 'orders',
    where: undefined,
    dimensions: [
      { name: 'biz', path: ['bizLine'], missing: undefined },
      { name: 'product', path: ['product'], missing: 'none' },
      { name: 'event', path: ['event'], missing: undefined },
    ],
    splitByOutcome: true,
    outcomes: ['fail', 'success'],
    values: [],
    keep: 'best',
    window: {
      sizeMs: durationMs(3_600_000),
      slideMs: durationMs(3_600_000),
      alignment: { kind: 'offset', offsetMs: 0 },
    },
    allowedLateness: durationMs(600_000),
    accumulation: 'accumulating',
    earlyAfter: undefined,
    aggregates: [{ kind: 'count', name: 'count' }],
    zeroFill: { enabled: false, expireAfter: durationMs(0), whenSilent: 'gap' },
    emitPartial: false,
    declaredSeries: [],
    maxSeries: 1000,
    ...overrides,
  }
}

/** A decoder with its own dictionaries, and a batch that fits it. */
export function decoderFor(
  kind: DecoderKind,
  event: EventPlan,
  metrics: readonly MetricPlan[],
  more: Partial<DecoderOptions> = {},
): {
  readonly decoder: Decoder
  readonly dictionaries: readonly SeriesDictionary[]
  readonly out: DecodedBatch
} {
  const dictionaries = metrics.map((metric) => new SeriesDictionary(metric.maxSeries))
  const decoder = createDecoder(kind, { event, metrics, dictionaries, hashKey: HASH_KEY, ...more })
  const out = createDecodedBatch(
    4,
    metrics.map((metric) => metric.values.length),
  )
  return { decoder, dictionaries, out }
}

/** A batch in `lines` framing. */
export function linesBatch(
  bytes: Buffer | string,
  overrides: Partial<SourceBatch> = {},
): SourceBatch {
  const buffer = Buffer.from(bytes as string)
  return {
    partition: 0,
    framing: 'lines',
    bytes: buffer,
    fromOffset: 0,
    nextOffset: buffer.length,
    recordTimestamp: NOW,
    aborted: [],
    ...overrides,
  }
}
