import { join } from 'node:path'
import type {
  Config,
  KafkaConnectionConfig,
  KafkaSourceConfig,
  SourceConfig,
} from '../config/config.ts'
import type { Telemetry } from '../core/telemetry.ts'
import { FileSideOutput } from '../ingest/file-side-output.ts'
import { FileSource } from '../ingest/file-source.ts'
import { GeneratorSource } from '../ingest/generator-source.ts'
import { HttpSource } from '../ingest/http-source.ts'
import type { KafkaConnectOptions } from '../ingest/kafka-connections.ts'
import { KafkaSideOutput } from '../ingest/kafka-dead-letters.ts'
import type { KafkaSasl } from '../ingest/kafka-sasl.ts'
import { KafkaSource, type KafkaSourceOptions } from '../ingest/kafka-source.ts'
import type { SideOutput } from '../ingest/side-output.ts'
import type { Source } from '../ingest/source.ts'

/** The source that a config describes. */
export function createSource(
  source: SourceConfig,
  config: Pick<Config, 'stateDir'>,
  telemetry: Telemetry,
): Source {
  const { name } = source
  switch (source.type) {
    case 'kafka':
      return new KafkaSource(name, kafkaSourceOptions(source), telemetry)
    case 'http':
      return new HttpSource(
        {
          name,
          host: source.listen.host,
          port: source.listen.port,
          token: source.token?.reveal(),
          directory: join(config.stateDir, 'http', name),
          maxLogBytes: source.maxLogBytes,
        },
        telemetry,
      )
    case 'file': {
      const { paths, follow, partitionPerFile, from, onDataLoss } = source
      const options = { name, paths, follow, partitionPerFile, from, onDataLoss }
      return new FileSource(options, telemetry)
    }
    case 'generator': {
      const { rate, speed, users, seed } = source
      return new GeneratorSource({ name, rate, speed, users, seed }, telemetry)
    }
  }
}

/** Plain data: it may go to another thread. */
export function kafkaSourceOptions(source: KafkaSourceConfig): KafkaSourceOptions {
  const { topics, from, group, isolation, onDataLoss, fetch, watchdogMs } = source
  return {
    ...kafkaConnection(source),
    topics,
    from: from.kind === 'timestamp' ? { timestamp: from.at } : from.kind,
    group,
    isolation,
    onDataLoss,
    fetch,
    watchdogMs,
  }
}

export function createSideOutput(output: Config['lateEvents'], telemetry: Telemetry): SideOutput {
  if (output.type === 'file') return new FileSideOutput({ path: output.path }, telemetry)
  return new KafkaSideOutput({ ...kafkaConnection(output), topic: output.topic }, telemetry)
}

const mechanisms = {
  plain: 'PLAIN',
  'scram-sha-256': 'SCRAM-SHA-256',
  'scram-sha-512': 'SCRAM-SHA-512',
} as const satisfies Record<string, KafkaSasl['mechanism']>

function kafkaConnection({ brokers, tls, sasl }: KafkaConnectionConfig): KafkaConnectOptions {
  return {
    brokers,
    tls: tls && {
      ca: tls.ca?.reveal(),
      cert: tls.cert?.reveal(),
      key: tls.key?.reveal(),
      servername: tls.servername,
      rejectUnauthorized: tls.rejectUnauthorized,
    },
    sasl: sasl && {
      mechanism: mechanisms[sasl.mechanism],
      username: sasl.username,
      password: sasl.password.reveal(),
    },
  }
}
