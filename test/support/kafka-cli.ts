import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { cachedJars, isCached, type JarList } from './jar-cache.ts'
import { copyJars, hasCommand, javaCommand, javaVersion } from './java.ts'

const run = promisify(execFile)

export const kafkaFiles = fileURLToPath(new URL('../services/kafka/', import.meta.url))

const jars: JarList = {
  name: 'kafka',
  pom: join(kafkaFiles, 'pom.xml'),
  fill: (directory) => copyJars(join(kafkaFiles, 'pom.xml'), directory),
}

/** Why Kafka can't run here, in one sentence; undefined when it can. */
export function kafkaMissing(): string | undefined {
  const version = javaVersion()
  if (version === undefined || version < 17) {
    const found = version === undefined ? 'none was found' : `this is Java ${version}`
    return `Kafka needs Java 17 or newer, ${found}: install a JDK (Debian: apt install openjdk-17-jdk-headless) or set JAVA_HOME.`
  }
  if (!isCached(jars) && !hasCommand('mvn', ['-v'])) {
    return `Kafka's jars are fetched with Maven, and mvn was not found: install it (Debian: apt install maven).`
  }
  if (!hasCommand('openssl', ['version'])) {
    return `The certificates of Kafka's TLS listener are made with openssl, which was not found: install it (Debian: apt install openssl).`
  }
  return undefined
}

const toolClasses = {
  'broker-api-versions': 'org.apache.kafka.tools.BrokerApiVersionsCommand',
  configs: 'kafka.admin.ConfigCommand',
  'console-consumer': 'org.apache.kafka.tools.consumer.ConsoleConsumer',
  'console-producer': 'org.apache.kafka.tools.ConsoleProducer',
  'consumer-groups': 'org.apache.kafka.tools.consumer.group.ConsumerGroupCommand',
  'consumer-perf': 'org.apache.kafka.tools.ConsumerPerformance',
  'delete-records': 'org.apache.kafka.tools.DeleteRecordsCommand',
  'dump-log': 'org.apache.kafka.tools.DumpLogSegments',
  features: 'org.apache.kafka.tools.FeatureCommand',
  'get-offsets': 'org.apache.kafka.tools.GetOffsetShell',
  'leader-election': 'org.apache.kafka.tools.LeaderElectionCommand',
  'log-dirs': 'org.apache.kafka.tools.LogDirsCommand',
  'metadata-quorum': 'org.apache.kafka.tools.MetadataQuorumCommand',
  'producer-perf': 'org.apache.kafka.tools.ProducerPerformance',
  reassign: 'org.apache.kafka.tools.reassign.ReassignPartitionsCommand',
  storage: 'kafka.tools.StorageTool',
  topics: 'org.apache.kafka.tools.TopicCommand',
  transactions: 'org.apache.kafka.tools.TransactionsCommand',
} as const

export type KafkaTool = keyof typeof toolClasses

/**
 * Runs one of Kafka's command line tools; resolves with what it printed, rejects with all of it when it fails.
 * Nothing is added to the arguments: most tools want `--bootstrap-server`.
 */
export async function kafkaCli(tool: KafkaTool, args: readonly string[]): Promise<string> {
  const java = [...(await kafkaJavaArguments('WARN')), '-XX:TieredStopAtLevel=1', '-Xmx512m']
  try {
    const options = { timeout: 120_000, maxBuffer: 256 * 1024 * 1024 }
    return (await run(javaCommand(), [...java, toolClasses[tool], ...args], options)).stdout
  } catch (cause) {
    const printed =
      cause instanceof Error && 'stdout' in cause && 'stderr' in cause
        ? `${cause.stdout}${cause.stderr}`
        : String(cause)
    throw new Error(`kafka ${tool} ${args.join(' ')} failed:\n${printed}`, { cause })
  }
}

/** Class path and logging for any of Kafka's main classes; fetches the jars on first use. */
export async function kafkaJavaArguments(logLevel: string): Promise<string[]> {
  const classPath = join(await cachedJars(jars), '*')
  const logging = `-Dlog4j2.configurationFile=${join(kafkaFiles, 'log4j2.properties')}`
  return ['-cp', classPath, logging, `-Dkafka.log.level=${logLevel}`, '-XX:+UseSerialGC']
}
