import { asWardenError, WardenError } from '../core/errors.ts'
import { createDecodedBatch, type DecodedBatch } from '../core/rows.ts'
import type { EpochMs } from '../core/time.ts'
import type { Decoder } from '../ingest/decoder.ts'
import type { SideOutput } from '../ingest/side-output.ts'
import type { PartitionPosition, PartitionStatus, Source, SourceBatch } from '../ingest/source.ts'
import type { MetricState } from './metric-state.ts'
import { RecentRecords } from './recent-records.ts'
import type { SourceLane } from './source-lane.ts'
import type { PartitionToSave, RestoredSource, SourceTotals } from './source-state.ts'

const initialRows = 4_096

/** One source on its way into its lane: source → decode → lane, and dead letters aside. */
export class PipelineInput {
  readonly source: Source
  readonly lane: SourceLane
  readonly states: readonly MetricState[]
  readonly decoder: Decoder
  readonly totals: SourceTotals
  readonly recent = new RecentRecords()
  /** Largest record timestamp seen; 0 when the source gives none. */
  lastRecordTimestamp = 0
  ended = false
  readonly #deadLetters: SideOutput
  readonly #batch: DecodedBatch
  readonly #restored: RestoredSource | undefined
  /** Metrics that the state knew nothing of when the source already had a position. */
  readonly #newMetrics: ReadonlySet<string>
  readonly #known: PartitionStatus[] = []
  readonly #lost = new Map<string, { readonly from: EpochMs; readonly to: EpochMs }>()

  constructor(parts: {
    readonly source: Source
    readonly lane: SourceLane
    readonly states: readonly MetricState[]
    readonly decoder: Decoder
    readonly deadLetters: SideOutput
    readonly restored: RestoredSource | undefined
    readonly newMetrics: ReadonlySet<string>
  }) {
    this.source = parts.source
    this.lane = parts.lane
    this.states = parts.states
    this.decoder = parts.decoder
    this.#deadLetters = parts.deadLetters
    this.#restored = parts.restored
    this.#newMetrics = parts.newMetrics
    this.totals = parts.restored?.totals ?? { records: 0, dead: {} }
    this.#batch = createDecodedBatch(
      initialRows,
      parts.lane.metrics.map((metric) => metric.plan.values.length),
    )
  }

  /** Opens the source where the checkpoint left it. */
  async open(now: EpochMs): Promise<void> {
    await this.source.open(this.#restored?.positions ?? new Map())
    const indices = new Map(this.source.partitions().map(({ name }, index) => [name, index]))
    this.#restored?.restoreWatermarks(this.lane, (name) => indices.get(name), now)
    this.#markNewMetrics()
    this.notice(now)
  }

  /** Takes and counts one batch; false when nothing was buffered. */
  step(now: EpochMs): boolean {
    const taken = this.source.take()
    if (taken === undefined) return false
    this.notice(now)
    const status = this.#known[taken.partition]
    if (status === undefined) {
      throw new WardenError('internal', `${this.source.name} gave a batch of an unknown partition`)
    }
    this.#decode(taken, status.name, now)
    this.#setAside(status.name)
    this.totals.records += this.#batch.records
    this.recent.add(this.#batch)
    this.lastRecordTimestamp = Math.max(this.lastRecordTimestamp, this.#batch.lastRecordTimestamp)
    this.lane.apply(this.#batch, status.name, now)
    return true
  }

  #decode(taken: SourceBatch, partition: string, now: EpochMs): void {
    try {
      this.decoder.decode(taken, now, this.#batch)
    } catch (cause) {
      // The decoder sees bytes, and does not know whose.
      const { code, message } = asWardenError(cause)
      throw new WardenError(code, `${this.source.name}/${partition}: ${message}`, { cause })
    }
  }

  /** Time went by: idleness, early panes, and the end of a bounded source. */
  tick(now: EpochMs): void {
    this.notice(now)
    const statuses = this.source.partitions()
    this.lane.tick(now, (partition) => statuses[partition]?.caughtUpAt)
    this.#align(statuses.length)
    if (!this.ended && this.source.ended()) {
      this.ended = true
      this.lane.end()
    }
  }

  /** Partitions that are new, and records that were lost. */
  notice(now: EpochMs): void {
    const statuses = this.source.partitions()
    for (let index = this.#known.length; index < statuses.length; index++) {
      const status = statuses[index]
      if (status === undefined) break
      this.#known.push(status)
      this.lane.tracker.add(index, now)
      if (this.#restored?.positions.has(status.name)) continue
      this.#markMissing(Number.NEGATIVE_INFINITY, status.readFrom)
    }
    for (const { name, lost } of statuses) {
      const known = this.#lost.get(name)
      if (lost === undefined || (known?.from === lost.from && known.to === lost.to)) continue
      this.#lost.set(name, lost)
      this.#markMissing(lost.from, lost.to)
    }
  }

  /** Where every partition stands, for the checkpoint. */
  positions(): PartitionToSave[] {
    return this.source
      .partitions()
      .slice(0, this.#known.length)
      .map(({ name, position }, index) => ({ index, name, position }))
  }

  positionsByName(): ReadonlyMap<string, PartitionPosition> {
    return new Map(this.positions().map(({ name, position }) => [name, position]))
  }

  /** Partitions far ahead in event time wait for the others. */
  #align(partitions: number): void {
    const { tracker, plan } = this.lane
    const { maxDrift } = plan.watermark
    if (!Number.isFinite(maxDrift) || !Number.isFinite(tracker.combined)) return
    for (let partition = 0; partition < partitions; partition++) {
      const ahead = tracker.watermarkOf(partition) - tracker.combined
      this.source.hold(partition, ahead > maxDrift)
    }
  }

  #markMissing(from: number, to: number): void {
    if (to === Number.NEGATIVE_INFINITY) return
    for (const metric of this.lane.metrics) metric.operator.markMissing(from, to)
  }

  /** A metric that joins later has not seen the windows that had begun. */
  #markNewMetrics(): void {
    if (this.#restored === undefined || this.#restored.positions.size === 0) return
    let newest = Number.NEGATIVE_INFINITY
    for (const index of this.source.partitions().keys()) {
      newest = Math.max(newest, this.lane.tracker.watermarkOf(index))
    }
    if (!Number.isFinite(newest)) return
    const newestEvent = newest + this.lane.plan.watermark.outOfOrderness + 1
    for (const metric of this.lane.metrics) {
      if (!this.#newMetrics.has(metric.plan.name)) continue
      metric.operator.markMissing(Number.NEGATIVE_INFINITY, newestEvent + 1)
    }
  }

  #setAside(partition: string): void {
    for (const reject of this.#batch.rejects) {
      const source = this.source.name
      this.totals.dead[reject.reason] = (this.totals.dead[reject.reason] ?? 0) + 1
      const { reason, detail, metric, offset, recordTimestamp } = reject
      const json = JSON.stringify({
        reason,
        detail,
        metric,
        source,
        partition,
        offset,
        recordTimestamp,
        ...readableBytes(reject.bytes),
      })
      this.#deadLetters.append({ key: `${source}/${partition}/${offset}`, json })
    }
  }
}

/** `value` where the bytes are text, else `base64`. */
function readableBytes(bytes: Uint8Array): { value: string } | { base64: string } {
  try {
    return { value: new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes) }
  } catch {
    return { base64: Buffer.from(bytes).toString('base64') }
  }
}
