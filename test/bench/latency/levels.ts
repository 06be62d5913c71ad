import { setTimeout as sleep } from 'node:timers/promises'
import { FakeOpentsdb } from '../../support/fake-opentsdb.ts'
import type { KafkaCluster } from '../../support/kafka-cluster.ts'
import { preciseNow } from '../load/live-load.ts'
import { LiveLoadChild } from '../load/live-load-child.ts'
import { type Stalls, stallProbe, stallsOf } from '../peers/stalls.ts'
import { WardenRun } from '../peers/warden-run.ts'
import { table } from '../report/peers-table.ts'
import { quantile } from '../report/spread.ts'
import { capacityOf, untilCaughtUp } from './capacity.ts'

export interface LevelOptions {
  /** Events per second; undefined: to be measured first. */
  readonly capacity: number | undefined
  /** Of the capacity, 0–1. */
  readonly shares: readonly number[]
  readonly seconds: number
  /** `batch.maxAge` of the sink. */
  readonly maxAge: string
  readonly lanes: number
  readonly program: string | undefined
}

export interface Level {
  readonly share: number
  /** Events per second that were sent. */
  readonly rate: number
  /** Of each window: from the trigger to its last first-time point, ms. */
  readonly latenciesMs: readonly number[]
  readonly stalls: Stalls
}

const topic = 'bench-latency'
const partitions = 4
const windowMs = 1000
const outOfOrdernessMs = 1000
const warmUpMs = 3000

/** Runs the loads one after the other on one Warden. */
export async function measureLevels(
  cluster: KafkaCluster,
  options: LevelOptions,
): Promise<{ readonly capacity: number; readonly levels: Level[] }> {
  await cluster.createTopic(topic, partitions)
  const store = new FakeOpentsdb()
  await store.start()
  const panes = new PaneClock()
  store.behave = ({ points }) => {
    panes.arrived(points)
    return undefined
  }
  const setup = {
    bootstrap: cluster.bootstrap,
    topic,
    lanes: options.lanes,
    windowSize: `${windowMs}ms`,
    allowedLateness: '5s',
    outOfOrderness: `${outOfOrdernessMs}ms`,
    sinks: { store: { type: 'opentsdb', url: store.url, batch: { maxAge: options.maxAge } } },
  }
  const run = await WardenRun.start(setup, options.program, stallProbe)
  const load = new LiveLoadChild(
    {
      ...{ bootstrap: cluster.bootstrap, topic, partitions, windowMs, outOfOrdernessMs },
      users: 1_000_000,
    },
    (windowStart, atMs) => panes.triggered(windowStart, atMs),
  )
  try {
    const capacity = options.capacity ?? (await load.orFailure(capacityOf(run, load)))
    const levels: Level[] = []
    for (const share of options.shares) {
      const level = measureLevel(run, load, panes, share, share * capacity, options.seconds)
      levels.push(await load.orFailure(level))
    }
    await load.stop()
    await run.stop()
    return { capacity, levels }
  } finally {
    load.terminate()
    await run.remove()
    await store.stop()
    await cluster.deleteTopic(topic)
  }
}

async function measureLevel(
  run: WardenRun,
  load: LiveLoadChild,
  panes: PaneClock,
  share: number,
  rate: number,
  seconds: number,
): Promise<Level> {
  await untilCaughtUp(run, load)
  load.setRate(rate)
  await sleep(warmUpMs)
  await stallsOf(run)
  const [sent, fromMs] = [load.events, preciseNow()]
  await sleep(seconds * 1000)
  const toMs = preciseNow()
  const reached = (load.events - sent) / ((toMs - fromMs) / 1000)
  const stalls = await stallsOf(run)
  // The last windows of the span are still on their way.
  await untilCaughtUp(run, load)
  await sleep(outOfOrdernessMs + warmUpMs)
  const latenciesMs = panes.latencies(fromMs, toMs - windowMs - outOfOrdernessMs)
  load.setRate(0)
  const p99 = quantile(latenciesMs, 0.99)?.toFixed(0)
  console.error(`${share * 100} %: ${Math.round(reached / 1000)}k/s, p99 ${p99} ms`)
  return { share, rate: reached, latenciesMs, stalls }
}

/** When the windows were due and when their points came. */
class PaneClock {
  readonly #due = new Map<number, number>()
  readonly #arrived = new Map<number, Map<string, number>>()

  triggered(windowStart: number, atMs: number): void {
    this.#due.set(windowStart, atMs)
  }

  arrived(
    points: readonly {
      timestamp: number
      metric: string
      tags: Readonly<Record<string, string>>
    }[],
  ): void {
    const now = preciseNow()
    for (const { timestamp, metric, tags } of points) {
      const start = timestamp * 1000
      const window = this.#arrived.get(start) ?? new Map<string, number>()
      this.#arrived.set(start, window)
      const key = `${metric} ${Object.values(tags).join(' ')}`
      // A later revision is no news.
      if (!window.has(key)) window.set(key, now)
    }
  }

  /** Of the windows that start in the span: all of them must have come. */
  latencies(fromMs: number, toMs: number): number[] {
    const found: number[] = []
    for (const [start, due] of this.#due) {
      if (start < fromMs || start >= toMs) continue
      const arrived = this.#arrived.get(start)
      if (arrived === undefined) throw new Error(`no point of the window ${start} has come`)
      found.push(Math.max(...arrived.values()) - due)
    }
    return found
  }
}

export function levelsTable(levels: readonly Level[]): string {
  const heads = ['load', '1000 events/s', 'windows', 'p50, ms', 'p99, ms', 'max, ms']
  const rows = levels.map(({ share, rate, latenciesMs }) => [
    `${Math.round(share * 100)} %`,
    (rate / 1000).toFixed(0),
    String(latenciesMs.length),
    ...[0.5, 0.99, 1].map((one) => quantile(latenciesMs, one)?.toFixed(0) ?? ''),
  ])
  return table(heads, rows)
}

/** How often each thread was late by how much. */
export function stallsTable(levels: readonly Level[]): string {
  const bounds = levels[0]?.stalls.boundsMs ?? []
  const heads = bounds.map((bound, i) =>
    i < bounds.length - 1 ? `≤ ${bound} ms` : `> ${bounds.at(-2)} ms`,
  )
  const rows = levels.flatMap(({ share, stalls }) =>
    stalls.threads.map(({ thread, counts, maxMs }) => [
      `${Math.round(share * 100)} %`,
      thread === 0 ? 'main' : `lane, thread ${thread}`,
      ...counts.map(String),
      maxMs.toFixed(0),
    ]),
  )
  return table(['load', 'thread', ...heads, 'max, ms'], rows)
}
