import type { Pane } from '../core/pane.ts'
import { encodeName } from './point-names.ts'
import type { DataPoint } from './sink.ts'

export interface PointOptions {
  /** Put before every metric name, e.g. `warden.`; may be empty. */
  readonly prefix: string
  /** Which end of its window a point is dated by. */
  readonly timestamp: 'start' | 'end'
  /** Value of the tag `job` of a metric without dimensions: stores want at least one tag. */
  readonly job: string
  /** Raised whenever an older state is restored, so that what is counted again outranks what was written before. */
  readonly incarnation: number
}

/** Name of the point that carries an aggregate of a metric: `<prefix><metric>.<aggregate>`, legal for stores. */
export function pointName(prefix: string, metric: string, aggregate: string): string {
  return encodeName(`${prefix}${metric}.${aggregate}`)
}

/** The points of a pane, one per aggregate in the pane's order. Values that are not finite have none. */
export function pointsOf(pane: Pane, options: PointOptions): DataPoint[] {
  const at = options.timestamp === 'start' ? pane.windowStart : pane.windowEnd
  const tags = pointTags(pane.tags, options.job)
  const points: DataPoint[] = []
  for (const [aggregate, value] of Object.entries(pane.values)) {
    if (!Number.isFinite(value)) continue
    points.push({
      metric: pointName(options.prefix, pane.metric, aggregate),
      tags,
      timestamp: Math.floor(at / 1000),
      value,
      incarnation: options.incarnation,
      revision: pane.revision,
    })
  }
  return points
}

/** Tags of a pane as stores take them. */
export function pointTags(
  tags: Readonly<Record<string, string>>,
  job: string,
): Readonly<Record<string, string>> {
  const entries = Object.entries(tags).map(([name, value]) => [encodeName(name), encodeName(value)])
  return entries.length === 0 ? { job: encodeName(job) } : Object.fromEntries(entries)
}

/** What a store overwrites by: the same text for the same metric, tags (in any order) and timestamp. */
export function pointKey(point: DataPoint): string {
  const names = Object.keys(point.tags)
  if (names.length > 1) names.sort()
  let key = `${point.timestamp}\n${point.metric}`
  for (const name of names) key += `\n${name}\n${point.tags[name]}`
  return key
}

/** Does `one` overwrite `other`, a point with the same key? Equal ranks do: the later of the log wins. */
export function supersedes(one: DataPoint, other: DataPoint): boolean {
  return one.incarnation === other.incarnation
    ? one.revision >= other.revision
    : one.incarnation > other.incarnation
}
