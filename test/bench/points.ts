import type { KafkaCluster } from '../support/kafka-cluster.ts'
import { onlyLoans } from './load/expected-counts.ts'
import { provideTopic } from './load/fill-topic.ts'
import { type LoadSpec, topicOf, usualLoad } from './load/load-spec.ts'
import { hourMs, startMs } from './load/loan-events.ts'
import type { Measured } from './peers/stopwatch.ts'
import { knowsLanes, type WardenSetup } from './peers/warden-config.ts'
import { measureWarden } from './peers/warden-peer.ts'
import { type Figures, thisWarden } from './peers/warden-run.ts'

/** One reading of one topic by Warden. */
export interface Point {
  /** What stands in the table. */
  readonly label: string
  readonly load: Partial<LoadSpec>
  readonly setup?: Partial<WardenSetup>
  readonly lanes?: number
}

export interface PointResult {
  readonly point: Point
  readonly spec: LoadSpec
  readonly measured: Measured
  /** The last of /metrics. */
  readonly figures: Figures
}

export interface PointOptions {
  /** `bin/warden.js` of a built checkout. */
  readonly program: string | undefined
  /** Factor on the events of each point, and on the users of those with more than there are events. */
  readonly scale: number
}

/**
 * Measures the points one after the other, on topics that are gone afterwards; leaves out what this Warden can't
 * do, and what fails: then the process ends with 1.
 */
export async function measurePoints(
  cluster: KafkaCluster,
  points: readonly Point[],
  options: PointOptions,
): Promise<PointResult[]> {
  const results: PointResult[] = []
  for (const [index, point] of points.entries()) {
    const { lanes = 1 } = point
    if (lanes > 1 && !knowsLanes(options.program ?? thisWarden)) {
      console.error(`LEFT OUT ${point.label}: this Warden does not know the key \`lanes\` yet.`)
      continue
    }
    try {
      const result = await measurePoint(cluster, point, options)
      const rate = Math.round(result.measured.eventsPerSecond / 1000)
      console.error(`${point.label}: ${rate}k/s, ${result.measured.peakRssMib.toFixed(0)} MiB`)
      results.push(result)
    } catch (error) {
      // The other points stand without it.
      console.error(`FAILED ${point.label}:`, error)
      process.exitCode = 1
    }
    const next = points[index + 1]
    const topic = topicOf(scaled(point, options.scale), 'none')
    const isWantedAgain =
      next !== undefined && topicOf(scaled(next, options.scale), 'none') === topic
    if (!isWantedAgain) await cluster.deleteTopic(topic)
  }
  return results
}

async function measurePoint(
  cluster: KafkaCluster,
  point: Point,
  { program, scale }: PointOptions,
): Promise<PointResult> {
  const spec = scaled(point, scale)
  const made = await provideTopic(cluster, spec, 'none')
  const isLeast = point.setup?.leastFields === true
  const topic = isLeast ? { ...made, expected: onlyLoans(made.expected) } : made
  const task = { bootstrap: cluster.bootstrap, topic, endMs: startMs + spec.hours * hourMs }
  const { lanes = 1, setup = {} } = point
  const measure = { lanes, setup, ...(program === undefined ? {} : { program }) }
  return { point, spec, ...(await measureWarden(task, measure)) }
}

function scaled(point: Point, scale: number): LoadSpec {
  const load = { ...usualLoad, ...point.load }
  return {
    ...load,
    events: Math.ceil(load.events * scale),
    users: Math.ceil(load.users * scale),
  }
}

/** Where the work of the lanes is: the busiest one's share of all busy time, 1 ÷ lanes when it is even; undefined where lanes do not say. */
export function busiestLane(figures: Figures): { lane: string; share: number } | undefined {
  const busy = new Map<string, number>()
  for (const [key, value] of figures) {
    const lane = /^warden_\w*busy\w*_total\{.*\blane="([^"]+)"/.exec(key)?.[1]
    if (lane !== undefined) busy.set(lane, (busy.get(lane) ?? 0) + value)
  }
  const total = [...busy.values()].reduce((sum, one) => sum + one, 0)
  const [first] = [...busy].sort(([, a], [, b]) => b - a)
  if (first === undefined || total === 0) return undefined
  return { lane: first[0], share: first[1] / total }
}
