import { type JobPlan, type MetricPlan, needsUser } from '../../core/plan.ts'
import { formatDuration } from '../../core/time.ts'
import { conditionText, pathText } from '../condition-text.ts'
import type { Config, MetricConfig } from '../config.ts'
import { formatBytes } from '../read/formats.ts'
import { backendText, dedupKeyText, dedupStateText } from './explain-dedup.ts'
import { lookupText } from './explain-enrich.ts'
import { row } from './words.ts'

/** What an exact entry of the dedup table takes at rest: a 64-bit fingerprint, the outcome, the winner's time. */
const bytesPerKey = 13
const assumedUsers = 1_000_000

/** What a metric counts, when its windows close, and what its state takes. */
export function explainMetric(metric: MetricConfig, config: Config, job: JobPlan): string[] {
  const plan = job.metrics.find((one) => one.name === metric.name)
  const outOfOrderness =
    config.sources.find((one) => one.name === metric.source)?.watermark.outOfOrdernessMs ?? 0
  const { zeroFill, allowedLatenessMs: lateness } = metric
  const due = formatDuration(outOfOrderness + metric.evaluationDelayMs)
  const dimensions = metric.dimensions.map(({ name, path, missing, lookup }) => {
    if (lookup !== undefined) return lookupText(name, path, missing, lookup)
    const from = pathText(path) === name ? '' : ` from ${pathText(path)}`
    return `${name}${from}${missing === undefined ? '' : ` (missing: ${missing})`}`
  })
  if (metric.splitByOutcome) dimensions.push('outcome')
  return [
    `metric ${metric.name}: of source ${metric.source}`,
    ...row('renamed from', metric.renamedFrom ?? ''),
    ...row('filter', metric.where === undefined ? 'none' : conditionText(metric.where.condition)),
    ...row('window', windowText(metric)),
    ...row(
      'closes',
      outOfOrderness === 0
        ? 'when the watermark passes its end'
        : `when the watermark passes its end: ${formatDuration(outOfOrderness)} of event time after it`,
    ),
    ...row(
      'lateness',
      lateness === 0
        ? 'none'
        : `corrections for ${formatDuration(lateness)} after that; then late events`,
    ),
    ...row('due', `${due} after its end by the wall clock`),
    ...row(
      'early points',
      metric.earlyAfterMs === undefined
        ? ''
        : `${formatDuration(metric.earlyAfterMs)} after the first event`,
    ),
    ...row('series by', dimensions.join(', ') || `nothing: one series, tag job=${config.job}`),
    ...row('declared', metric.series.map((one) => one.join('/')).join(', ')),
    ...row('key', keyText(metric, plan)),
    ...row('users in', backendText(metric)),
    ...row(
      'outcomes',
      metric.outcomes.length === 0
        ? ''
        : `${metric.outcomes.join(' < ')} (others: other, below all)`,
    ),
    ...row('aggregates', metric.aggregates.map(aggregateText).join(', ')),
    ...row(
      'zeros',
      zeroFill.enabled
        ? `explicit; a series is forgotten after ${formatDuration(zeroFill.expireAfter)}; ${zeroFill.whenSilent} where the whole source was silent`
        : 'not written',
    ),
    ...row(
      'partial',
      metric.emitPartial
        ? 'windows seen in part are written'
        : 'windows seen in part are not written',
    ),
    ...row('state', stateText(metric, plan, outOfOrderness)),
  ]
}

function windowText(metric: MetricConfig): string {
  const { sizeMs, slideMs, alignment } = metric.window
  const every = slideMs === sizeMs ? '' : ` every ${formatDuration(slideMs)}`
  const aligned =
    alignment.kind === 'zone'
      ? `, from local midnights of ${alignment.timezone}`
      : alignment.offsetMs === 0
        ? ''
        : `, shifted by ${formatDuration(alignment.offsetMs)}`
  return `${formatDuration(sizeMs)}${every}${aligned}, ${metric.accumulation}`
}

function keyText(metric: MetricConfig, plan: MetricPlan | undefined): string {
  if (metric.keep !== undefined) {
    return dedupKeyText(metric, metric.keep)
  }
  if (metric.backend?.type === 'hyperloglog') {
    return 'none: every event counts; users are estimated for the aggregate users'
  }
  const users = plan !== undefined && needsUser(plan)
  return `none: every event counts${users ? '; users are told apart for the aggregate users' : ''}`
}

function aggregateText(aggregate: MetricConfig['aggregates'][number]): string {
  if (aggregate.kind !== 'rate') return aggregate.name
  const of = aggregate.of === undefined ? 'all' : aggregate.of.join(' + ')
  const over = aggregate.raw ? ' over all events' : ''
  return `${aggregate.name} (${aggregate.success.join(' + ')} ÷ ${of}${over})`
}

/** Windows live until lateness has passed; then their entries go at once. */
function stateText(
  metric: MetricConfig,
  plan: MetricPlan | undefined,
  outOfOrderness: number,
): string {
  const { sizeMs, slideMs } = metric.window
  const windows = Math.ceil((sizeMs + outOfOrderness + metric.allowedLatenessMs) / slideMs)
  const live = `up to ${windows} window${windows === 1 ? '' : 's'} at once`
  if (plan === undefined || !needsUser(plan)) return `${live}; a few numbers per series each`
  const special = dedupStateText(metric, windows)
  if (special !== undefined) return `${live}; ${special}`
  const each = bytesPerKey * assumedUsers
  return `${live}; ${bytesPerKey} B per user and window: ${formatBytes(each)} per million users in one series each, ${formatBytes(each * windows)} in all`
}

/** `warden.loan.count|users {bizLine=…}`. */
export function pointsText(prefix: string, metric: MetricConfig, job: string): string {
  const tags = metric.dimensions.map(({ name }) => `${name}=…`)
  const names = metric.aggregates.map((one) => one.name).join('|')
  const [example] = metric.aggregates
  const split = metric.splitByOutcome ? ', outcome=… (not for users and rates)' : ''
  const tagText = tags.length === 0 && split === '' ? `job=${job}` : tags.join(', ')
  const several = metric.aggregates.length > 1 ? `(${names})` : (example?.name ?? '')
  return `${prefix}${metric.name}.${several} {${`${tagText}${split}`.replace(/^, /, '')}}`
}
