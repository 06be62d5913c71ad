import type { MetricPlan } from '../core/plan.ts'

/** What the strip says of a window, by its number. */
export const completenessStates = [
  { text: 'open', color: 'light-blue' },
  { text: 'late: due, not closed', color: 'red' },
  { text: 'closed, not written', color: 'orange' },
  { text: 'complete', color: 'green' },
  { text: 'complete, corrected', color: 'purple' },
  { text: 'partial: records were missing', color: 'dark-red' },
] as const

const HOUR_MS = 3_600_000

/** Corrections come so much later than the watermark says, at most: a checkpoint and a batch. */
const SLACK_S = 60

/** Do windows begin at multiples of their slide since the epoch? Only those can be told apart in PromQL. */
export function hasCompleteness({ window: { slideMs, alignment } }: MetricPlan): boolean {
  if (alignment.kind === 'offset') return alignment.offsetMs % slideMs === 0
  return alignment.timezone === 'UTC' || HOUR_MS % slideMs === 0
}

/**
 * PromQL for the state of the window that began last, as known at the end of the range (`@ end()`): from the watermark then, and from
 * what was emitted after the window's end. A job that reads the past has no corrections there, as they come at another time
 * of the clock. The subquery takes each step back to the start of its window. NaN while Warden gives no figures.
 */
export function completenessExpr(metric: MetricPlan, job: string): string {
  const sizeS = metric.window.sizeMs / 1_000
  const slideS = metric.window.slideMs / 1_000
  const lateS = Math.ceil(metric.allowedLateness / 1_000) + SLACK_S
  const lag = `warden_event_time_lag_seconds{${job},source="${metric.source}"} @ end()`
  const now = `scalar(max(timestamp(${lag})))`
  const watermark = `scalar(min(timestamp(${lag}) - ${lag}))`
  const unwritten = `scalar(max(warden_oldest_unwritten_pane_seconds{${job}} @ end()))`
  const end = `time() + ${sizeS}`
  const due = `(${end} <= bool ${now})`
  const closed = `(${end} <= bool ${watermark})`
  const written = `(${end} <= bool ${watermark} - ${unwritten})`
  const happened = (name: string, labels: string, forS: number): string =>
    `((sum(increase(${name}{${job},metric="${metric.name}"${labels}}[${forS}s] offset -${sizeS + forS}s)) or vector(0)) > bool 0)`
  const corrected = happened('warden_panes_total', ',firing="late"', lateS)
  const partial = happened('warden_partial_windows_total', '', lateS)
  const state = `clamp_max(${due} + ${closed} + ${written} + ${written} * ${corrected} + 2 * ${written} * ${partial}, 5) + 0 * ${now}`
  return `last_over_time((${state})[${slideS}s:${slideS}s])`
}
