import type { Pane } from '../../src/core/pane.ts'
import type { MetricPlan } from '../../src/core/plan.ts'
import { createDecodedBatch, type LateEvent, type Reject } from '../../src/core/rows.ts'
import { epochMs } from '../../src/core/time.ts'
import { BatchEnricher } from '../../src/enrich/batch-enricher.ts'
import { KeyResolver } from '../../src/enrich/key-resolver.ts'
import type { Entry } from '../../src/enrich/origin.ts'
import { createDecoder } from '../../src/ingest/create-decoder.ts'
import type { Decoder, DecoderKind } from '../../src/ingest/decoder.ts'
import { KeyHash } from '../../src/ingest/key-hash.ts'
import { InlineSource } from '../../src/pipeline/lanes/inline-source.ts'
import { type LaneLayout, oneLane } from '../../src/pipeline/lanes/lane-layout.ts'
import { MemoryStateStore } from '../../src/state/memory-state-store.ts'
import { eventPlan } from './lane-rig.ts'
import { RecordingMetrics } from './recording-metrics.ts'

const hashKey = new Uint8Array(16).fill(3)

/** Lanes that read JSON and look dimensions up in tables of the test's, which may change at any time. */
export class LookupRig {
  readonly panes: Pane[] = []
  readonly late: LateEvent[] = []
  readonly rejects: Reject[] = []
  readonly metrics = new RecordingMetrics()
  readonly store = new MemoryStateStore()
  tables: Record<string, Record<string, Entry>> = {}
  /** The tables cannot be asked. */
  isAway = false
  readonly #plan: MetricPlan
  readonly #kind: DecoderKind
  readonly #partitions: number
  #layout: LaneLayout
  #source: InlineSource
  #decoders: readonly Decoder[] = []
  #offset = 0

  constructor(
    plan: MetricPlan,
    options: {
      readonly kind?: DecoderKind
      readonly layout?: LaneLayout
      readonly partitions?: number
    } = {},
  ) {
    this.#plan = plan
    this.#kind = options.kind ?? 'json-walk'
    this.#layout = options.layout ?? oneLane
    this.#partitions = options.partitions ?? 1
    this.#source = this.#build()
    for (let index = 0; index < this.#partitions; index++) {
      this.#source.addPartition(index, epochMs(0))
    }
  }

  /** Decodes and counts documents of one partition as one batch. */
  feed(partition: number, ...documents: readonly object[]): void {
    const batch = createDecodedBatch(4, [this.#plan.values.length])
    const text = documents.map((one) => JSON.stringify(one)).join('\n')
    const fromOffset = this.#offset
    this.#offset += text.length + 1
    const lane = partition % this.#layout.lanes
    this.#decoders[lane]?.decode(
      {
        partition,
        framing: 'lines',
        bytes: Buffer.from(text),
        fromOffset,
        nextOffset: this.#offset,
        recordTimestamp: epochMs(0),
        aborted: [],
      },
      epochMs(Number.POSITIVE_INFINITY),
      batch,
    )
    this.rejects.push(...batch.rejects)
    this.#source.apply(batch, `orders-${partition}`, epochMs(0))
    this.collect()
  }

  collect(): void {
    const { windows } = this.#source
    windows.flushLate()
    this.panes.push(...windows.takePanes())
    this.late.push(...windows.takeLate())
  }

  async checkpoint(): Promise<void> {
    this.collect()
    const partitions = Array.from({ length: this.#partitions }, (_, index) => ({
      index,
      name: String(index),
      position: { offset: this.#offset, identity: '' },
    }))
    await this.store.commit(this.#source.checkpoint(partitions, epochMs(0)))
  }

  /** As after a crash: from the last checkpoint, maybe with other lanes. */
  restart(layout: LaneLayout = this.#layout): void {
    this.#layout = layout
    this.#source = this.#build()
    this.#source.resume(Number, epochMs(0))
  }

  end(): void {
    this.#source.end(epochMs(0))
    this.collect()
  }

  /** Values of the last pane of each series and window, as `tags@start`. */
  final(): Map<string, Readonly<Record<string, number>>> {
    const last = new Map<string, Readonly<Record<string, number>>>()
    for (const { tags, windowStart, values } of this.panes) {
      last.set(`${Object.values(tags).join('/')}@${windowStart}`, values)
    }
    return last
  }

  /** Keys of the state under a part of the metric's. */
  stored(part: string): string[] {
    const from = `metric/${this.#plan.name}/${part}/`
    return [...this.store.range(from, `${from}\uffff`)].map(([key]) => key)
  }

  #build(): InlineSource {
    const hash = new KeyHash(hashKey)
    const source = new InlineSource({
      job: 'job',
      plan: eventPlan(),
      metrics: [this.#plan],
      layout: this.#layout,
      store: this.store,
      lookups: {
        createEnricher: (dictionaries) =>
          new BatchEnricher(
            [this.#plan],
            dictionaries,
            (values) => hash.seedOf(values),
            this.metrics,
          ),
        createResolver: (windows) => new KeyResolver(windows, new Map(), this.metrics),
        known: (table, key) => {
          if (this.isAway) return { kind: 'away' }
          const entry = this.tables[table]?.[key]
          return entry === undefined ? { kind: 'missing' } : { kind: 'found', entry }
        },
      },
    })
    this.#decoders = Array.from({ length: this.#layout.lanes }, (_, lane) =>
      createDecoder(this.#kind, {
        event: eventPlan(),
        metrics: [this.#plan],
        dictionaries: source.dictionariesOf(lane),
        hashKey,
      }),
    )
    return source
  }
}
