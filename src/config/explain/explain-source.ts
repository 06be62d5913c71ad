import { formatDuration } from '../../core/time.ts'
import { conditionText, pathText } from '../condition-text.ts'
import type { Config, EventConfig, SourceConfig } from '../config.ts'
import { formatBytes } from '../read/formats.ts'
import { formatInstant } from '../read/instants.ts'
import { address, row, secured, token } from './words.ts'

/** Where a source reads, how its events are understood, and how its watermark moves. */
export function explainSource(source: SourceConfig, config: Config): string[] {
  const { event, watermark } = source
  const readers = config.metrics.filter((one) => one.source === source.name)
  const names = [...(event.outcome?.names ?? [])].map(([raw, name]) => `${raw} → ${name}`)
  const where = event.where
  return [
    `source ${source.name}: ${source.type}`,
    ...origin(source),
    ...row('time', timeText(event.time, source)),
    ...row('user', event.user === undefined ? 'not known' : pathText(event.user)),
    ...row(
      'outcome',
      event.outcome === undefined
        ? 'not known'
        : `${pathText(event.outcome.path)}${names.length > 0 ? ` (${names.join(', ')})` : ''}`,
    ),
    ...row('filter', where === undefined ? '' : conditionText(where.condition)),
    ...row(
      'bogus times',
      `missing, before ${formatInstant(event.minEventTime)}, or more than ${formatDuration(event.maxFutureSkewMs)} ahead: dead letters`,
    ),
    ...row(
      'watermark',
      watermark.mark === undefined
        ? `largest event time − ${formatDuration(watermark.outOfOrdernessMs)} − 1ms per partition; the smallest counts`
        : `what ${timeText(watermark.mark.time, source)} of records says where ${conditionText(watermark.mark.where.condition)}; of the partitions the smallest counts`,
    ),
    ...row(
      'idle',
      `a partition at its end that is silent for ${formatDuration(watermark.idleTimeoutMs)} is left out of it`,
    ),
    ...row(
      'alignment',
      watermark.maxDriftMs === undefined
        ? ''
        : `a partition more than ${formatDuration(watermark.maxDriftMs)} ahead of the slowest waits`,
    ),
    ...row('read by', readers.map((one) => one.name).join(', ') || 'no metric'),
  ]
}

function timeText({ format, path }: EventConfig['time'], { type }: SourceConfig): string {
  if (format !== 'record') return `${pathText(path)} (${format})`
  return type === 'kafka' ? "Kafka's record timestamp" : 'the arrival'
}

function origin(source: SourceConfig): string[] {
  switch (source.type) {
    case 'kafka': {
      const { from, fetch } = source
      const start = from.kind === 'timestamp' ? `records from ${formatInstant(from.at)}` : from.kind
      return [
        ...row('topics', source.topics.join(', ')),
        ...row(
          'brokers',
          `${source.brokers.join(', ')}${secured(source.tls, source.sasl?.mechanism)}`,
        ),
        ...row('partitions', 'all of the topics, owned by this job; new ones are found'),
        ...row('start', `the checkpoint; without one: ${start}`),
        ...row('isolation', source.isolation),
        ...row('data loss', source.onDataLoss),
        ...row('group', `${source.group} (offsets for lag tools, after each checkpoint)`),
        ...row(
          'buffer',
          `${formatBytes(fetch.bufferBytes)}, ${formatBytes(fetch.maxBytesPerPartition)} per partition and answer`,
        ),
      ]
    }
    case 'http':
      return [
        ...row('address', `http://${address(source.listen)}${token(source.token)}`),
        ...row('log', `up to ${formatBytes(source.maxLogBytes)}; then senders get 429`),
        ...row('partitions', '1'),
      ]
    case 'file':
      return [
        ...row('files', source.paths.join(', ')),
        ...row('partitions', source.partitionPerFile ? 'one per file' : '1, files by name'),
        ...row('start', `the checkpoint; without one: ${source.from}`),
        ...row(
          'end',
          source.follow ? 'none: it waits for more' : 'the last line; then Warden exits',
        ),
        ...row('data loss', source.onDataLoss),
      ]
    case 'generator':
      return [
        ...row(
          'events',
          `${source.rate}/s, event time × ${source.speed}, ${source.users} users, seed ${source.seed}`,
        ),
      ]
  }
}
