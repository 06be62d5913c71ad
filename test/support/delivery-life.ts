import assert from 'node:assert/strict'
import type { StateStore } from '../../src/core/state-store.ts'
import { Delivery } from '../../src/sink/delivery.ts'
import { type DeliveryOptions, defaultDeliveryOptions } from '../../src/sink/delivery-options.ts'
import { Outbox } from '../../src/sink/outbox.ts'
import type { DataPoint } from '../../src/sink/sink.ts'
import { MemoryStateStore } from '../../src/state/memory-state-store.ts'
import { MemorySink } from './memory-sink.ts'
import { RecordingLogger } from './recording-logger.ts'
import { RecordingMetrics } from './recording-metrics.ts'
import { VirtualClock } from './virtual-clock.ts'

/** A point of one of some series; its value tells series and revision apart. */
export function point(
  series: number,
  revision: number,
  options: Partial<DataPoint> = {},
): DataPoint {
  return {
    metric: 'warden.loan.count',
    tags: { series: String(series) },
    timestamp: 1_735_689_600,
    value: series * 1000 + revision,
    incarnation: 1,
    revision,
    ...options,
  }
}

/** One process's life: an outbox and a delivery over a store that outlives them. */
export class Life {
  readonly clock: VirtualClock
  readonly startedAt: number
  readonly store: StateStore
  readonly sink: MemorySink
  readonly outbox: Outbox
  readonly delivery: Delivery
  readonly logger = new RecordingLogger()
  readonly metrics = new RecordingMetrics()
  readonly refused: DataPoint[] = []
  readonly broken: Error[] = []

  constructor(
    world: { clock: VirtualClock; store: StateStore; sink: MemorySink },
    options: Partial<DeliveryOptions> = {},
    random: () => number = () => 0.5,
  ) {
    this.clock = world.clock
    this.startedAt = world.clock.now()
    this.store = world.store
    this.sink = world.sink
    this.outbox = new Outbox(world.store, { sinks: [world.sink.name], maxBytes: 1e9 })
    this.delivery = new Delivery(
      this.outbox,
      world.sink,
      { ...defaultDeliveryOptions, ...options },
      {
        clock: world.clock,
        logger: this.logger,
        metrics: this.metrics,
        random,
        onRefused: (refused) => this.refused.push(refused),
        onBroken: (error) => this.broken.push(error),
      },
    )
    this.delivery.start()
  }

  /** One checkpoint with these points. */
  async checkpoint(points: readonly DataPoint[] = []): Promise<void> {
    const operations = [
      ...this.outbox.append(points, this.clock.now()),
      ...this.outbox.cursorOperations(),
    ]
    await this.store.commit(operations)
    this.outbox.committed()
  }

  /** Fails when the drain should long be over. */
  settled(): boolean {
    assert.ok(this.clock.now() < this.startedAt + 24 * 3_600_000, 'it never settles')
    return this.cursor() === this.outbox.visibleEnd
  }

  cursor(): number {
    return this.outbox.cursor(this.sink.name)
  }
}

/** What outlives a process: the time, its state, the store. */
export function world() {
  const clock = new VirtualClock()
  return { clock, store: new MemoryStateStore(), sink: new MemorySink(clock) }
}
