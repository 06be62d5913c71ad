import type {
  HttpAuthConfig,
  KafkaSinkConfig,
  OpentsdbSinkConfig,
  SinkConfig,
} from '../config/config.ts'
import { WardenError } from '../core/errors.ts'
import type { Telemetry } from '../core/telemetry.ts'
import type { Tenure } from '../core/tenure.ts'
import { Delivery, type DeliveryPorts } from '../sink/delivery.ts'
import { type DeliveryOptions, defaultDeliveryOptions } from '../sink/delivery-options.ts'
import { EmbeddedSink } from '../sink/embedded-sink.ts'
import { FencedLogSink, FencedSink } from '../sink/fenced-sink.ts'
import { FileSink } from '../sink/file-sink.ts'
import { KafkaLogSink } from '../sink/kafka-log-sink.ts'
import { LogDelivery } from '../sink/log-delivery.ts'
import type { LogSink } from '../sink/log-sink.ts'
import { NameWatch } from '../sink/name-watch.ts'
import { OpentsdbReader } from '../sink/opentsdb-reader.ts'
import { OpentsdbSink, opentsdbSinkOptions } from '../sink/opentsdb-sink.ts'
import type { Outbox } from '../sink/outbox.ts'
import { PrefixedSink } from '../sink/prefixed-sink.ts'
import type { Sink } from '../sink/sink.ts'
import type { SinkDelivery } from '../sink/sink-delivery.ts'
import { VerifiedSink } from '../sink/verified-sink.ts'
import { nameTrouble } from '../store/api/put-points.ts'
import type { PointStore } from '../store/point-store.ts'

/** A sink and how points are delivered to it. */
export interface SinkInUse {
  readonly name: string
  /** False: nobody waits for it, and its oldest points are dropped when too many wait. */
  readonly required: boolean
  deliver(outbox: Outbox, ports: DeliveryPorts): SinkDelivery
  close(): Promise<void>
}

/**
 * @param store the embedded store; undefined when no sink of the config needs it
 * @param tenure nothing is written unless it is held; undefined: there is one Warden
 */
export function createSink(
  config: SinkConfig,
  store: PointStore | undefined,
  telemetry: Telemetry,
  tenure?: Tenure,
): SinkInUse {
  if (config.type === 'kafka') {
    const options = { ...local, ...bound(config), ...batching(config), connections: 1 }
    const log = createKafkaSink(config, telemetry)
    return logInUse(config, tenure ? new FencedLogSink(log, tenure) : log, options)
  }
  const delivery = config.type === 'opentsdb' ? overHttp(config) : local
  const sink = createPointSink(config, store, telemetry, tenure)
  return inUse(config, tenure ? new FencedSink(sink, tenure) : sink, {
    ...delivery,
    ...bound(config),
  })
}

/** A sink that says what became of each point. */
export function createPointSink(
  config: Exclude<SinkConfig, KafkaSinkConfig>,
  store: PointStore | undefined,
  telemetry: Telemetry,
  tenure?: Tenure,
): Sink {
  const { name, prefix } = config
  const watch = new NameWatch(telemetry)
  switch (config.type) {
    case 'opentsdb':
      return new PrefixedSink(createOpentsdbSink(config, telemetry, tenure), prefix, watch)
    case 'embedded':
      if (store === undefined) throw new WardenError('internal', 'the embedded store is not open')
      return new PrefixedSink(new EmbeddedSink(name, store, nameTrouble), prefix, watch)
    case 'file': {
      const { path, rollBytes, keepFiles } = config
      return new PrefixedSink(new FileSink({ name, path, rollBytes, keepFiles }), prefix, watch)
    }
  }
}

function createOpentsdbSink(
  config: OpentsdbSinkConfig,
  telemetry: Telemetry,
  tenure: Tenure | undefined,
): Sink {
  const { name, url, timeoutMs, connections, gzipFromBytes, readBackShare } = config
  const headers = { ...config.headers, ...authorization(config.auth) }
  const sink = new OpentsdbSink(
    opentsdbSinkOptions({
      name,
      url,
      timeoutMs,
      connections,
      gzipFromBytes,
      headers,
      mayWrite: () => tenure?.held() ?? true,
    }),
  )
  if (readBackShare === 0) return sink
  const reader = new OpentsdbReader({ url, timeoutMs, headers })
  const { metrics } = telemetry
  return new VerifiedSink(sink, reader, readBackShare, { metrics, random: Math.random })
}

export function authorization(auth: HttpAuthConfig | undefined): Record<string, string> {
  switch (auth?.type) {
    case undefined:
      return {}
    case 'bearer':
      return { Authorization: `Bearer ${auth.token.reveal()}` }
    case 'basic': {
      const login = `${auth.username}:${auth.password.reveal()}`
      return { Authorization: `Basic ${Buffer.from(login).toString('base64')}` }
    }
  }
}

function createKafkaSink(config: KafkaSinkConfig, telemetry: Telemetry): LogSink {
  const { name, prefix, brokers, tls, sasl, topic, transactionalId, exactlyOnce } = config
  const connection = {
    brokers,
    tls: tls && {
      ...tls,
      ca: tls.ca?.reveal(),
      cert: tls.cert?.reveal(),
      key: tls.key?.reveal(),
    },
    sasl: sasl && { ...sasl, password: sasl.password.reveal() },
  }
  return new KafkaLogSink(
    {
      name,
      prefix,
      connection,
      topic,
      transactionalId,
      group: transactionalId,
      transactional: exactlyOnce,
    },
    telemetry.logger,
  )
}

function inUse(config: SinkConfig, sink: Sink, options: DeliveryOptions): SinkInUse {
  return {
    name: config.name,
    required: config.required,
    deliver: (outbox, ports) => new Delivery(outbox, sink, options, ports),
    close: () => sink.close(),
  }
}

function logInUse(config: SinkConfig, sink: LogSink, options: DeliveryOptions): SinkInUse {
  return {
    name: config.name,
    required: config.required,
    deliver: (outbox, ports) => new LogDelivery(outbox, sink, options, ports),
    close: () => sink.close(),
  }
}

const bound = ({
  required,
  maxBacklogBytes,
}: SinkConfig): Pick<DeliveryOptions, 'maxBacklogBytes'> => ({
  maxBacklogBytes: required ? undefined : maxBacklogBytes,
})

const batching = ({ batch }: OpentsdbSinkConfig | KafkaSinkConfig) => ({
  batchPoints: batch.points,
  batchAgeMs: batch.maxAgeMs,
})

const overHttp = (config: OpentsdbSinkConfig): DeliveryOptions => ({
  ...defaultDeliveryOptions,
  ...batching(config),
  connections: config.connections,
  backoff: config.retry,
  slowMs: config.slowMs,
  maxRate: config.maxRate,
  settleMs: config.settleMs,
})

/** Stores in this process answer at once, one writer at a time, and nothing is written late. */
const local: DeliveryOptions = {
  ...defaultDeliveryOptions,
  batchAgeMs: 0,
  batchPoints: 5_000,
  connections: 1,
  settleMs: 0,
}
