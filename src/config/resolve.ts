import { durationMs } from '../core/time.ts'
import type {
  Config,
  KafkaConnectionConfig,
  RestartConfig,
  SideOutputConfig,
  SinkConfig,
  SourceConfig,
  TlsConfig,
} from './config.ts'
import { resolvePath } from './read/paths.ts'
import { resolveAlerts } from './resolve-alerts.ts'
import { resolveEnrich } from './resolve-enrich.ts'
import { resolveHa } from './resolve-ha.ts'
import { resolveEvent, resolveMetric, resolveWatermark } from './resolve-metric.ts'
import { resolveNotifications, resolveReceivers } from './resolve-receivers.ts'
import type { ConfigDocument, SinkDocument, SourceDocument } from './schema.ts'

/** A document without a mistake as the rest of Warden reads it. `directory`: the one of the config file, absolute. */
export function resolveConfig(document: ConfigDocument, file: string, directory: string): Config {
  const { job, checkpoint } = document
  const stateDir = document.stateDir ?? resolvePath(directory, `.warden/${job}`)
  const [firstSource = ''] = Object.keys(document.sources)
  return {
    file,
    job,
    stateDir,
    sources: Object.entries(document.sources).map(([name, one]) => resolveSource(name, one, job)),
    metrics: Object.entries(document.metrics).map(([name, one]) =>
      resolveMetric(name, one, one.source ?? firstSource),
    ),
    enrich: resolveEnrich(document.enrich),
    sinks: Object.entries(document.sinks).map(([name, one]) => resolveSink(name, one, job)),
    deadLetters: {
      ...resolveSideOutput(document.deadLetters, `${stateDir}/dead-letters.jsonl`),
      maxRate: document.deadLetters.maxRate,
    },
    lateEvents: resolveSideOutput(document.lateEvents, `${stateDir}/late-events.jsonl`),
    alerts: resolveAlerts(document.alerts, job),
    alertFile: document.alerts.file,
    receivers: resolveReceivers(document.receivers),
    notifications: resolveNotifications(document.notifications),
    checkpoint: {
      intervalMs: checkpoint.interval,
      timeoutMs: checkpoint.timeout,
      minPauseMs: checkpoint.minPause,
      toleratedFailures: checkpoint.toleratedFailures,
    },
    lanes: document.lanes,
    restart: resolveRestart(document.restart),
    server: { listen: document.server.listen, token: document.server.token },
    outbox: { maxBytes: document.outbox.maxBytes },
    store: { retentionMs: document.store.retention, maxBytes: document.store.maxSize },
    state: resolveState(document.state, stateDir),
    ha: document.ha && resolveHa(document.ha, job),
    shutdown: { timeoutMs: document.shutdown.timeout },
    log: { level: document.log.level },
  }
}

function resolveSource(name: string, document: SourceDocument, job: string): SourceConfig {
  const base = {
    name,
    event: resolveEvent(document.event),
    watermark: resolveWatermark(document.watermark),
  }
  switch (document.type) {
    case 'kafka': {
      const { from, fetch } = document
      return {
        ...base,
        type: 'kafka',
        ...resolveConnection(document),
        topics: document.topics,
        from: typeof from === 'string' ? { kind: from } : { kind: 'timestamp', at: from.timestamp },
        group: document.group ?? `warden-${job}`,
        keyedByUser: document.keyedByUser,
        isolation: document.isolation,
        onDataLoss: document.onDataLoss,
        fetch: {
          maxBytesPerPartition: fetch.maxBytesPerPartition,
          maxWaitMs: fetch.maxWait,
          bufferBytes: fetch.bufferBytes,
        },
        watchdogMs: document.watchdog,
      }
    }
    case 'http': {
      const { listen, token, maxLogBytes } = document
      return { ...base, type: 'http', listen, token, maxLogBytes }
    }
    case 'file': {
      const paths = typeof document.path === 'string' ? [document.path] : document.path
      const { follow, from, onDataLoss, partitionPerFile } = document
      return { ...base, type: 'file', paths, follow, from, onDataLoss, partitionPerFile }
    }
    case 'generator': {
      const { rate, speed, users, seed } = document
      return { ...base, type: 'generator', rate, speed, users, seed }
    }
  }
}

type KafkaDocument = Extract<SourceDocument, { readonly type: 'kafka' }>

function resolveConnection(
  document: Pick<KafkaDocument, 'brokers' | 'tls' | 'sasl'>,
): KafkaConnectionConfig {
  const { brokers, tls, sasl } = document
  return { brokers, tls: resolveTls(tls), sasl }
}

function resolveTls(tls: KafkaDocument['tls']): TlsConfig | undefined {
  if (tls === false) return undefined
  if (tls === true) return resolveTls({ rejectUnauthorized: true })
  const { ca, cert, key, servername, rejectUnauthorized } = tls
  return { ca, cert, key, servername, rejectUnauthorized }
}

function resolveSink(name: string, document: SinkDocument, job: string): SinkConfig {
  const { prefix, timestamp, required, maxBacklog } = document
  const base = { name, prefix, timestamp, required, maxBacklogBytes: maxBacklog }
  switch (document.type) {
    case 'opentsdb': {
      const { url, batch, connections, timeout, retry, slow, settle, gzipFrom } = document
      return {
        ...base,
        type: 'opentsdb',
        url,
        batch: { points: batch.points, maxAgeMs: batch.maxAge },
        connections,
        timeoutMs: timeout,
        retry: { initialMs: retry.initial, maxMs: retry.max },
        slowMs: slow,
        maxRate: document.maxRate,
        settleMs: settle,
        gzipFromBytes: gzipFrom,
        headers: document.headers ?? {},
        auth: document.auth,
        readBackShare: document.verify === 'readback' ? document.verifyShare : 0,
        annotations: document.annotations,
      }
    }
    case 'embedded':
      return { ...base, type: 'embedded' }
    case 'file': {
      const { path, rollSize, keep } = document
      return { ...base, type: 'file', path, rollBytes: rollSize, keepFiles: keep }
    }
    case 'kafka': {
      const { topic, delivery, batch } = document
      return {
        ...base,
        type: 'kafka',
        ...resolveConnection(document),
        topic,
        exactlyOnce: delivery === 'exactly-once',
        transactionalId: document.transactionalId ?? `warden-${job}-${name}`,
        batch: { points: batch.points, maxAgeMs: batch.maxAge },
      }
    }
  }
}

function resolveSideOutput(
  document: ConfigDocument['deadLetters'] | ConfigDocument['lateEvents'],
  usualPath: string,
): SideOutputConfig {
  return document.type === 'file'
    ? { type: 'file', path: document.path ?? usualPath }
    : { type: 'kafka', topic: document.topic, ...resolveConnection(document) }
}

function resolveState(document: ConfigDocument['state'], stateDir: string): Config['state'] {
  const { savepoints, replica } = document
  return {
    savepoints: {
      directory: savepoints.dir ?? `${stateDir}/savepoints`,
      retain: savepoints.retain,
    },
    replica:
      typeof replica === 'string'
        ? { directory: replica, intervalMs: durationMs(300_000) }
        : replica && { directory: replica.dir, intervalMs: replica.interval },
  }
}

function resolveRestart(document: ConfigDocument['restart']): RestartConfig {
  switch (document.strategy) {
    case 'exponential':
      return {
        strategy: 'exponential',
        initialMs: document.initial,
        maxMs: document.max,
        multiplier: document.multiplier,
        resetAfterMs: document.resetAfter,
      }
    case 'fixed-delay':
      return { strategy: 'fixed-delay', delayMs: document.delay, attempts: document.attempts }
    case 'failure-rate':
      return {
        strategy: 'failure-rate',
        max: document.max,
        perMs: document.per,
        delayMs: document.delay,
      }
    case 'none':
      return { strategy: 'none' }
  }
}
