import {
  type EventPlan,
  type FieldPath,
  type MetricPlan,
  needsOutcome,
  needsUser,
} from '../core/plan.ts'
import { pathsOf } from './condition.ts'

/** Every path that a source and its metrics read, with repetitions. */
export function pathsRead(event: EventPlan, metrics: readonly MetricPlan[]): readonly FieldPath[] {
  const paths: FieldPath[] = []
  if (event.time.format !== 'record') paths.push(event.time.path)
  const { marks } = event.watermark
  if (marks !== undefined) paths.push(...pathsOf(marks.where))
  if (event.where !== undefined) paths.push(...pathsOf(event.where))
  if (event.user !== undefined && metrics.some(needsUser)) paths.push(event.user)
  if (event.outcome !== undefined && metrics.some(needsOutcome)) paths.push(event.outcome)
  for (const metric of metrics) {
    if (metric.where !== undefined) paths.push(...pathsOf(metric.where))
    for (const { path } of metric.dimensions) paths.push(path)
    for (const { path } of metric.values) paths.push(path)
  }
  return paths
}
