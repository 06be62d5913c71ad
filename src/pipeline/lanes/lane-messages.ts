import type { SliceDelta } from '../../aggregate/delta-cells.ts'
import type { LateEvent } from '../../core/rows.ts'
import type { FalsePositives } from '../../dedup/bloom/false-positives.ts'
import type { KeyAnswer, KeyQuestion } from '../../enrich/key-question.ts'
import type { PartitionStatus } from '../../ingest/source.ts'
import type { PartitionSummary, PartitionWatermark } from '../../ingest/watermark.ts'
import type { RowPacket } from './row-packet.ts'

/*
 * What lanes, and a lane and the main half, say to each other. Everything can be cloned: a lane may live in another thread.
 * Messages between two of them arrive in the order they were sent.
 */

/** Totals of one metric, or what was added to them: kept + duplicates + late = rows. */
export interface MetricTotals {
  rows: number
  kept: number
  duplicates: number
  late: number
}

/** What one metric counted between two marks. */
export interface MetricSegment {
  readonly slices: readonly SliceDelta[]
  /** Starts of slices in which the source had events, told once each. */
  readonly touched: readonly number[]
}

/** How far a lane has come: everything that it judges later is judged by `view` or a later watermark. */
export interface Mark {
  /** Combined watermark as the lane knows it. */
  readonly view: number
  /** By the lane's index of the partition. */
  readonly partitions: readonly (readonly [index: number, watermark: PartitionWatermark])[]
  /** Packets sent before, by lane: the mark counts when the receivers have counted those. */
  readonly sent: readonly number[]
}

/** Rows between two marks, and the mark at their end. */
export interface Segment {
  readonly metrics: readonly MetricSegment[]
  readonly mark: Mark
}

/** A dead letter, ready for its output. */
export interface DeadRecord {
  readonly reason: string
  readonly key: string
  readonly json: string
}

/** What a lane found out about the changes of one slice's dedup since the checkpoint before. */
export interface KeyBlob {
  readonly metric: number
  readonly slice: number
  readonly bytes: Uint8Array
}

/** Everything since the hand-over before. */
export interface HandOver {
  /** Processing time. */
  readonly now: number
  /** By metric: series that the lane met, in the order of its ids. */
  readonly series: readonly (readonly (readonly string[])[])[]
  readonly segments: readonly Segment[]
  /** Packets counted in `segments`, by sender. */
  readonly applied: readonly number[]
  readonly totals: readonly MetricTotals[]
  readonly late: readonly LateEvent[]
}

/** What the lane's source and decoder did since the hand-over before. */
export interface InputReport {
  /** In the order of the lane's indices. */
  readonly partitions: readonly PartitionStatus[]
  readonly records: number
  readonly dead: readonly DeadRecord[]
  /** Records with a dead letter. */
  readonly deadRecords: number
  /** Since the lane began. */
  readonly fallbacks: number
  readonly lastRecordTimestamp: number
  /** Entries that the next checkpoint writes, and users remembered, by metric. */
  readonly changedKeys: number
  readonly keys: readonly number[]
  /** Of Bloom filters, by metric. */
  readonly falsePositives: readonly (FalsePositives | undefined)[]
  readonly times: LaneTimes
}

/** Where a lane's time went since the report before, in ms. */
export interface LaneTimes {
  readonly busy: number
  readonly idle: number
  /** Waiting for somebody who is slower. */
  readonly backPressured: number
}

/** A lane's share of a checkpoint. */
export interface BarrierAnswer {
  readonly number: number
  readonly blobs: readonly KeyBlob[]
}

export type FromLane =
  | { readonly kind: 'opened'; readonly partitions: readonly PartitionStatus[] }
  | { readonly kind: 'loaded' }
  | {
      readonly kind: 'counted'
      readonly handOver: HandOver
      readonly report: InputReport
      /** It is the last before the cut of a checkpoint. */
      readonly barrier: BarrierAnswer | undefined
      /** A bounded source gave everything. */
      readonly ended: boolean
    }
  /** A batch waits for what these keys stand for; one question at a time. */
  | { readonly kind: 'ask'; readonly number: number; readonly questions: readonly KeyQuestion[] }
  | { readonly kind: 'failed'; readonly error: unknown }

/** What a lane must know of the rest. */
export interface View {
  readonly combined: number
  readonly others: PartitionSummary
  /** Every lane judges by this watermark or a later one: what is gone there may be forgotten. */
  readonly gone: number
  /** By metric: series that other lanes met. */
  readonly series: readonly (readonly (readonly string[])[])[]
}

export interface LaneStart {
  readonly view: View
  /** By the lane's index, where there is state. */
  readonly watermarks: readonly (readonly [index: number, watermark: PartitionWatermark])[]
  /** By metric; see `WindowLifetime.goneThrough`. */
  readonly goneThrough: readonly number[]
}

export type ToLane =
  | {
      readonly kind: 'open'
      readonly positions: ReadonlyMap<
        string,
        { readonly offset: number; readonly identity: string }
      >
      /** By metric: the series of the state, whose ids the lane gives too. */
      readonly series: readonly (readonly (readonly string[])[])[]
    }
  | { readonly kind: 'load'; readonly blobs: readonly KeyBlob[] }
  | { readonly kind: 'start'; readonly start: LaneStart }
  | { readonly kind: 'view'; readonly view: View }
  | { readonly kind: 'taken' }
  | { readonly kind: 'answer'; readonly number: number; readonly answers: readonly KeyAnswer[] }
  | { readonly kind: 'hold'; readonly partition: number; readonly held: boolean }
  | { readonly kind: 'pause'; readonly paused: boolean }
  /** `last`: nothing is read after it. */
  | { readonly kind: 'barrier'; readonly number: number; readonly last: boolean }
  | {
      readonly kind: 'checkpointed'
      readonly positions: ReadonlyMap<
        string,
        { readonly offset: number; readonly identity: string }
      >
      /** By metric: slices that are gone for good, whose claims elsewhere may go. */
      readonly gone?: readonly (readonly number[])[] | undefined
    }

/** From lane to lane. */
export type BetweenLanes =
  | { readonly kind: 'rows'; readonly packet: RowPacket }
  /** Everything before it belongs to checkpoint `number`. */
  | { readonly kind: 'marker'; readonly number: number }
  /** So many rows of earlier packets were counted. */
  | { readonly kind: 'applied'; readonly rows: number }
