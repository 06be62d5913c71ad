import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { pointKey } from '../../src/sink/data-point.ts'
import { Delivery } from '../../src/sink/delivery.ts'
import { defaultDeliveryOptions } from '../../src/sink/delivery-options.ts'
import { OpentsdbSink, opentsdbSinkOptions } from '../../src/sink/opentsdb-sink.ts'
import { Outbox } from '../../src/sink/outbox.ts'
import type { DataPoint } from '../../src/sink/sink.ts'
import { MemoryStateStore } from '../../src/state/memory-state-store.ts'
import { SystemClock } from '../../src/system-clock.ts'
import { RecordingLogger } from './recording-logger.ts'
import { RecordingMetrics } from './recording-metrics.ts'

export interface StoreLoadOptions {
  readonly url: string
  readonly metric: string
  /** Points of one checkpoint. */
  readonly series: number
  /** Time between checkpoints, ms. */
  readonly everyMs: number
  readonly settleMs: number
  readonly timeoutMs: number
}

export interface StoreLoadOutcome {
  readonly points: number
  /** Points whose newest value the store does not have. */
  readonly lost: number
  /** Sends beyond one for every revision that was sent at all. */
  readonly twice: number
  /** Until everything was acknowledged, ms. */
  readonly writtenMs: number
}

const sinkName = 'tsdb'
const firstWindow = 1_735_689_600
/** Revisions of a window before the next one begins. */
const revisionsPerWindow = 10

/** Revisions of points of window after window, delivered to a real store as a job delivers them, and what the store has of them at last. */
export class StoreLoad {
  readonly #options: StoreLoadOptions
  readonly #clock = new SystemClock()
  readonly #store = new MemoryStateStore()
  readonly #metrics = new RecordingMetrics()
  readonly #sink: OpentsdbSink
  readonly #outbox: Outbox
  readonly #delivery: Delivery
  readonly #expected = new Map<string, DataPoint>()
  readonly #over = new AbortController()
  #running: Promise<void> = Promise.resolve()
  #appended = 0

  constructor(options: StoreLoadOptions) {
    this.#options = options
    const { url, timeoutMs, settleMs } = options
    this.#sink = new OpentsdbSink(opentsdbSinkOptions({ name: sinkName, url, timeoutMs }))
    this.#outbox = new Outbox(this.#store, { sinks: [sinkName], maxBytes: 1e9 })
    this.#delivery = new Delivery(
      this.#outbox,
      this.#sink,
      { ...defaultDeliveryOptions, settleMs, batchAgeMs: 200 },
      {
        clock: this.#clock,
        logger: new RecordingLogger(),
        metrics: this.#metrics,
        random: Math.random,
        onRefused: (point, reason) => assert.fail(`${point.metric} refused: ${reason}`),
        onBroken: (error) => assert.fail(error),
      },
    )
  }

  start(): void {
    this.#delivery.start()
    this.#running = this.#append()
  }

  /** Everything appended so far is acknowledged. */
  get isWritten(): boolean {
    return this.#delivery.writtenThrough() >= this.#outbox.visibleEnd
  }

  health(): ReturnType<Delivery['health']> {
    return this.#delivery.health()
  }

  /** Ends the load, waits until everything is written and settled, and compares every point with the store. */
  async finish(drainMs: number): Promise<StoreLoadOutcome> {
    this.#over.abort()
    await this.#running
    const startedAt = performance.now()
    assert.equal(await this.#delivery.drain(drainMs, 'written'), true, 'it is written')
    const writtenMs = performance.now() - startedAt
    assert.equal(await this.#delivery.drain(drainMs), true, 'it settles')
    await this.stop()
    const { url, metric } = this.#options
    const held = await storedPoints(url, metric)
    const lost = [...this.#expected].filter(([key, { value }]) => held.get(key) !== value)
    const sends = (outcome: string) =>
      this.#metrics.value('warden_sink_points_total', { sink: sinkName, outcome }) ?? 0
    const twice = sends('written') + sends('retry') + sends('coalesced') - this.#appended
    return { points: this.#expected.size, lost: lost.length, twice, writtenMs }
  }

  async stop(): Promise<void> {
    this.#over.abort()
    await this.#running
    await this.#delivery.stop()
    await this.#sink.close()
  }

  async #append(): Promise<void> {
    const { series, everyMs, metric } = this.#options
    for (let n = 0; !this.#over.signal.aborted; n++) {
      const timestamp = firstWindow + Math.floor(n / revisionsPerWindow) * 3_600
      const revision = n % revisionsPerWindow
      const points = Array.from({ length: series }, (_, i): DataPoint => {
        const value = n * 10 + i + (revision % 2) / 2
        return { metric, tags: { series: String(i) }, timestamp, value, incarnation: 1, revision }
      })
      for (const point of points) this.#expected.set(pointKey(point), point)
      this.#appended += points.length
      await this.#store.commit([
        ...this.#outbox.append(points, this.#clock.now()),
        ...this.#outbox.cursorOperations(),
      ])
      this.#outbox.committed()
      await sleep(everyMs, undefined, { signal: this.#over.signal }).catch(() => {})
    }
  }
}

interface Series {
  readonly tags: Record<string, string>
  readonly dps: Record<string, number>
}

/** Every point of a metric that an OpenTSDB has: point key → value. */
export async function storedPoints(url: string, metric: string): Promise<Map<string, number>> {
  const response = await fetch(`${url}/api/query?start=1&m=none:${metric}`)
  const body: unknown = await response.json()
  assert.equal(response.status, 200, JSON.stringify(body).slice(0, 500))
  const values = new Map<string, number>()
  for (const { tags, dps } of body as Series[]) {
    for (const [seconds, value] of Object.entries(dps)) {
      const timestamp = Number(seconds)
      const point = { metric, tags, timestamp, value, incarnation: 0, revision: 0 }
      values.set(pointKey(point), value)
    }
  }
  return values
}
