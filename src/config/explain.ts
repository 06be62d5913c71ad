import type { JobPlan } from '../core/plan.ts'
import { formatDuration } from '../core/time.ts'
import type { Config, FileSinkConfig, SideOutputConfig, SinkConfig } from './config.ts'
import { explainAlerts } from './explain/explain-alerts.ts'
import { explainTable } from './explain/explain-enrich.ts'
import { haText } from './explain/explain-ha.ts'
import { explainMetric, pointsText } from './explain/explain-metric.ts'
import { explainSource } from './explain/explain-source.ts'
import { address, row, secured, token } from './explain/words.ts'
import { formatBytes } from './read/formats.ts'

/** The plan in words, for a person: what is read, when windows close, what is counted, where it goes. Secrets are not in it. */
export function explain(config: Config, plan: JobPlan): string {
  const lines = [
    `job ${config.job}`,
    ...row('config', config.file),
    ...row('state', config.stateDir),
    '',
    ...config.sources.flatMap((one) => [...explainSource(one, config), '']),
    ...config.metrics.flatMap((one) => [...explainMetric(one, config, plan), '']),
    ...config.enrich.flatMap((one) => [...explainTable(one), '']),
    ...config.sinks.flatMap((one) => [...explainSink(one, config), '']),
    ...explainAlerts(config),
    'delivery',
    ...row(
      'outbox',
      `up to ${formatBytes(config.outbox.maxBytes)}; when it is full, reading pauses`,
    ),
    ...row('dead letters', `${sideOutput(config.deadLetters)}${stopRate(config)}`),
    ...row('late events', sideOutput(config.lateEvents)),
    '',
    'operation',
    ...row('checkpoint', checkpoint(config)),
    ...row('restart', restart(config)),
    ...row('ha', haText(config)),
    ...row('server', `http://${address(config.server.listen)}${token(config.server.token)}`),
    ...row('shutdown', `within ${formatDuration(config.shutdown.timeoutMs)}`),
  ]
  return `${lines.join('\n')}\n`
}

function explainSink(sink: SinkConfig, config: Config): string[] {
  return [
    `sink ${sink.name}: ${sink.type}`,
    ...destination(sink, config),
    ...limits(sink),
    ...row('time', `${sink.timestamp} of the window, in seconds; a later revision overwrites`),
    ...config.metrics.flatMap((metric, index) =>
      row(index === 0 ? 'points' : '', pointsText(sink.prefix, metric, config.job)),
    ),
  ]
}

function destination(sink: SinkConfig, config: Config): string[] {
  switch (sink.type) {
    case 'opentsdb':
      return [
        ...row('url', sink.url),
        ...row(
          'batches',
          `${sink.batch.points} points or ${formatDuration(sink.batch.maxAgeMs)}, ${sink.connections} at once, timeout ${formatDuration(sink.timeoutMs)}`,
        ),
        ...row(
          'retry',
          `for ever, random waits up to ${formatDuration(sink.retry.initialMs)}, doubling to ${formatDuration(sink.retry.maxMs)}`,
        ),
      ]
    case 'embedded':
      return [
        ...row('files', config.stateDir),
        ...row('query', `http://${address(config.server.listen)}/api/query`),
        ...kept(config.store),
      ]
    case 'file':
      return row('file', `${sink.path}${rolled(sink)}`)
    case 'kafka':
      return [
        ...row(
          'topic',
          `${sink.topic} at ${sink.brokers.join(', ')}${secured(sink.tls, sink.sasl?.mechanism)}`,
        ),
        ...row(
          'records',
          sink.exactlyOnce
            ? `every revision once, in transactions of ${sink.transactionalId}`
            : 'every revision, some twice after a crash',
        ),
      ]
  }
}

function kept({ retentionMs, maxBytes }: Config['store']): string[] {
  const bounds = [
    ...(retentionMs === undefined ? [] : [`${formatDuration(retentionMs)} of points`]),
    ...(maxBytes === undefined ? [] : [`at most ${formatBytes(maxBytes)}`]),
  ]
  return bounds.length === 0 ? [] : row('keeps', bounds.join(', '))
}

function rolled({ rollBytes, keepFiles }: FileSinkConfig): string {
  if (rollBytes === undefined) return ''
  const kept = keepFiles === undefined ? 'all are kept' : `${keepFiles} are kept`
  return `, put aside at ${formatBytes(rollBytes)}; ${kept}`
}

/** What is not as usual. */
function limits(sink: SinkConfig): string[] {
  const backlog = sink.required
    ? []
    : row(
        'backlog',
        `not required: beyond ${formatBytes(sink.maxBacklogBytes)} its oldest points are lost`,
      )
  if (sink.type !== 'opentsdb') return backlog
  const { maxRate, readBackShare } = sink
  return [
    ...backlog,
    ...(maxRate === undefined ? [] : row('rate', `at most ${maxRate} points a second`)),
    ...(readBackShare === 0
      ? []
      : row('verify', `${Number((readBackShare * 100).toFixed(6))}% of the points are read back`)),
  ]
}

const stopRate = (config: Config): string =>
  config.deadLetters.maxRate === undefined
    ? ''
    : `; more than ${Number((config.deadLetters.maxRate * 100).toFixed(6))}% of the records: stop`

const sideOutput = (one: SideOutputConfig): string =>
  one.type === 'file'
    ? one.path
    : `topic ${one.topic} at ${one.brokers.join(', ')}${secured(one.tls, one.sasl?.mechanism)}`

function checkpoint(config: Config): string {
  const { intervalMs, timeoutMs, minPauseMs, toleratedFailures } = config.checkpoint
  return `every ${formatDuration(intervalMs)}, at least ${formatDuration(minPauseMs)} apart, timeout ${formatDuration(timeoutMs)}, ${toleratedFailures} failures in a row tolerated`
}

function restart(config: Config): string {
  const one = config.restart
  switch (one.strategy) {
    case 'exponential':
      return `after ${formatDuration(one.initialMs)}, then × ${one.multiplier} up to ${formatDuration(one.maxMs)}; from the start again after ${formatDuration(one.resetAfterMs)} without a failure`
    case 'fixed-delay':
      return `after ${formatDuration(one.delayMs)}, ${one.attempts} times`
    case 'failure-rate':
      return `after ${formatDuration(one.delayMs)}, up to ${one.max} failures in ${formatDuration(one.perMs)}`
    case 'none':
      return 'never'
  }
}
