import type { MessagePort } from 'node:worker_threads'
import { asWardenError, errorCodes, WardenError } from '../core/errors.ts'
import type { EventPlan, MetricPlan } from '../core/plan.ts'
import type { FileSourceOptions } from '../ingest/file-source.ts'
import type { KafkaSourceOptions } from '../ingest/kafka-source.ts'
import type { BetweenLanes, FromLane, ToLane } from '../pipeline/lanes/lane-messages.ts'
import type { LanePlace } from '../pipeline/lanes/metric-counter.ts'
import type { TelemetryMessage } from './forwarded-telemetry.ts'
import type { RedisDedupOptions } from './shared-dedups.ts'

/** What a lane's thread is started with. */
export interface LaneThreadData {
  readonly source: LaneSourceOptions
  readonly place: LanePlace
  readonly plan: EventPlan
  readonly metrics: readonly MetricPlan[]
  readonly hashKey: Uint8Array
  /** By metric, of those that claim their users in a Redis. */
  readonly dedup?: ReadonlyMap<string, RedisDedupOptions> | undefined
  /** To the other lanes, by lane; undefined at this one's place. */
  readonly ports: readonly (MessagePort | undefined)[]
}

/** Sources whose lanes are threads. */
export type LaneSourceOptions =
  | { readonly type: 'kafka'; readonly name: string; readonly options: KafkaSourceOptions }
  | { readonly type: 'file'; readonly options: FileSourceOptions }

export type ToThread =
  | { readonly kind: 'lane'; readonly message: ToLane }
  | { readonly kind: 'stop' }
  | { readonly kind: 'close' }

export type FromThread =
  | { readonly kind: 'lane'; readonly message: FromLane }
  | { readonly kind: 'telemetry'; readonly message: TelemetryMessage }

/** An error on its way to another thread, which knows no class. */
export interface PlainError {
  readonly code: string
  readonly message: string
  readonly stack: string | undefined
}

export function plainError(error: unknown): PlainError {
  const { code, message, stack } = asWardenError(error)
  return { code, message, stack }
}

export function errorOf({ code, message, stack }: PlainError): WardenError {
  const known = code in errorCodes ? (code as keyof typeof errorCodes) : 'internal'
  const error = new WardenError(known, message)
  if (stack !== undefined) error.stack = stack
  return error
}

/** Buffers that go over to the receiver instead of being copied. */
export function buffersOf(message: FromLane | ToLane | BetweenLanes): ArrayBuffer[] {
  const buffers = new Set<ArrayBufferLike>()
  if (message.kind === 'counted') {
    for (const { metrics } of message.handOver.segments) {
      for (const { slices } of metrics) {
        for (const { ids, speaks, cells } of slices) {
          buffers.add(ids.buffer).add(speaks.buffer).add(cells.buffer)
        }
      }
    }
    for (const { bytes } of message.barrier?.blobs ?? []) buffers.add(bytes.buffer)
  } else if (message.kind === 'load') {
    for (const { bytes } of message.blobs) buffers.add(bytes.buffer)
  } else if (message.kind === 'rows') {
    for (const metric of message.packet.metrics) {
      if (metric === undefined) continue
      const { series, keyHigh, keyLow, outcome, time, tie, values } = metric.rows
      for (const column of [series, keyHigh, keyLow, outcome, time, tie, ...values]) {
        buffers.add(column.buffer)
      }
    }
  }
  return [...buffers].filter((buffer) => buffer instanceof ArrayBuffer)
}
