import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type PortReservation, reservePorts } from './free-ports.ts'
import { javaCommand } from './java.ts'
import { kafkaCli, kafkaFiles, kafkaJavaArguments, kafkaMissing } from './kafka-cli.ts'
import { KafkaCluster, type SaslAddress } from './kafka-cluster.ts'
import { createServerCertificate } from './kafka-tls.ts'
import { ServiceProcesses } from './service-processes.ts'
import { until } from './until.ts'

export interface KafkaOptions {
  /** Brokers, with ids from 1. Of two only broker 1 is a controller: kill the other. Of three any one may go. */
  readonly brokers?: 1 | 2 | 3
  /** A second listener with TLS and SASL: PLAIN, SCRAM-SHA-256 and SCRAM-SHA-512, one user. */
  readonly saslSsl?: boolean
  /** More lines of server.properties. */
  readonly config?: Readonly<Record<string, string>>
  readonly heapMb?: number
}

interface Broker {
  readonly id: number
  readonly port: number
  readonly controllerPort: number
  readonly saslPort: number
  readonly isController: boolean
}

const host = '127.0.0.1'
const username = 'warden'
const password = 'warden-secret'

/** Starts a Kafka of its own on free ports, with data in a temporary directory; resolves when it creates topics. */
export async function startKafka(options: KafkaOptions = {}): Promise<KafkaService> {
  const missing = kafkaMissing()
  if (missing !== undefined) throw new Error(missing)
  const count = options.brokers ?? 1
  const javaArguments = await kafkaJavaArguments('INFO')
  const reservation = await reservePorts(count * 3)
  const brokers = Array.from({ length: count }, (_, i): Broker => {
    const [port = 0, controllerPort = 0, saslPort = 0] = reservation.ports.slice(3 * i)
    return { id: i + 1, port, controllerPort, saslPort, isController: i === 0 || count === 3 }
  })
  const processes = new ServiceProcesses('kafka')
  try {
    const directory = processes.directory
    const tls = options.saslSsl === true ? await createServerCertificate(directory) : undefined
    const clusterId = randomBytes(16).toString('base64url').replace(/^-/, 'A')
    await Promise.all(
      brokers.map(async (broker) => {
        const file = propertiesFile(directory, broker)
        await writeFile(file, properties(broker, brokers, directory, tls?.keystoreFile, options))
        const users = tls === undefined ? [] : scramUsers()
        await kafkaCli('storage', ['format', '-t', clusterId, '-c', file, ...users])
      }),
    )
    const sasl: SaslAddress | undefined =
      tls === undefined
        ? undefined
        : { bootstrap: addresses(brokers, 'saslPort'), caPem: tls.caPem, username, password }
    const heap = options.heapMb ?? (count === 1 ? 1024 : 512)
    const kafka = new KafkaService(brokers, sasl, processes, reservation, [
      ...javaArguments,
      `-Xmx${heap}m`,
      '-Djava.awt.headless=true',
      'kafka.Kafka',
    ])
    await kafka.start()
    return kafka
  } catch (error) {
    await processes.close()
    reservation.release()
    throw error
  }
}

/** A Kafka that belongs to one test: it may be stopped, killed, frozen and started again on the same ports and data. */
export class KafkaService extends KafkaCluster {
  readonly processes: ServiceProcesses
  readonly #brokers: readonly Broker[]
  readonly #ports: PortReservation
  readonly #javaArguments: readonly string[]

  constructor(
    brokers: readonly Broker[],
    sasl: SaslAddress | undefined,
    processes: ServiceProcesses,
    ports: PortReservation,
    javaArguments: readonly string[],
  ) {
    super({ bootstrap: addresses(brokers, 'port'), sasl })
    this.processes = processes
    this.#brokers = brokers
    this.#ports = ports
    this.#javaArguments = javaArguments
  }

  /** Starts the brokers that do not run (or the one given) and waits until the cluster names them all and elects leaders. */
  async start(broker?: number): Promise<void> {
    const wanted = this.#select(broker).filter((one) => !this.processes.isRunning(name(one.id)))
    for (const one of wanted) {
      await this.processes.start(name(one.id), {
        command: javaCommand(),
        args: [...this.#javaArguments, propertiesFile(this.processes.directory, one)],
      })
    }
    await this.#untilAnswering(wanted)
  }

  /** Stops everything for good and removes its data. */
  async stop(): Promise<void> {
    await this.processes.close()
    this.#ports.release()
  }

  /** SIGTERM: leaders move away, logs are flushed. Resolves when the process is gone. */
  async shutDown(broker?: number): Promise<void> {
    await Promise.all(this.#select(broker).map((one) => this.processes.terminate(name(one.id))))
  }

  /** SIGKILL, of one broker or of all. */
  async kill(broker?: number): Promise<void> {
    await Promise.all(this.#select(broker).map((one) => this.processes.kill(name(one.id))))
  }

  /** Shuts down (what still runs) and starts again, with the same ports and data. */
  async restart(broker?: number): Promise<void> {
    await this.shutDown(broker)
    await this.start(broker)
  }

  /** SIGSTOP: connections stay open and nothing answers. */
  freeze(broker?: number): void {
    for (const one of this.#select(broker)) this.processes.signal(name(one.id), 'SIGSTOP')
  }

  thaw(broker?: number): void {
    for (const one of this.#select(broker)) this.processes.signal(name(one.id), 'SIGCONT')
  }

  #select(broker: number | undefined): readonly Broker[] {
    if (broker === undefined) return this.#brokers
    const found = this.#brokers.filter((one) => one.id === broker)
    if (found.length === 0) throw new Error(`there is no broker ${broker}`)
    return found
  }

  async #untilAnswering(started: readonly Broker[]): Promise<void> {
    const died = () => started.find((one) => !this.processes.isRunning(name(one.id)))
    await until(
      'Kafka answers',
      async () => {
        if (died() !== undefined) return true
        const live = await this.liveBrokers()
        return started.every((one) => live.includes(one.id))
      },
      180_000,
    ).catch((error: unknown) => {
      const logs = started.map((one) => this.processes.logTail(name(one.id))).join('\n')
      throw new Error(`Kafka did not start:\n${logs}`, { cause: error })
    })
    const dead = died()
    if (dead !== undefined) {
      throw new Error(`broker ${dead.id} ended:\n${this.processes.logTail(name(dead.id))}`)
    }
    const probe = `warden-probe-${randomBytes(4).toString('hex')}`
    await until('Kafka creates topics', async () => {
      await this.createTopic(probe, 1, { 'replication.factor': '1' })
      return true
    })
    await this.deleteTopic(probe)
  }
}

function name(broker: number): string {
  return `broker-${broker}`
}

function addresses(brokers: readonly Broker[], port: 'port' | 'saslPort'): string {
  return brokers.map((broker) => `${host}:${broker[port]}`).join(',')
}

function propertiesFile(directory: string, broker: Broker): string {
  return join(directory, `${name(broker.id)}.properties`)
}

function scramUsers(): string[] {
  return ['SCRAM-SHA-256', 'SCRAM-SHA-512'].flatMap((mechanism) => [
    '--add-scram',
    `${mechanism}=[name=${username},password=${password}]`,
  ])
}

function properties(
  broker: Broker,
  brokers: readonly Broker[],
  directory: string,
  keystoreFile: string | undefined,
  options: KafkaOptions,
): string {
  const voters = brokers.filter((one) => one.isController)
  const listeners = [`PLAINTEXT://${host}:${broker.port}`]
  if (keystoreFile !== undefined) listeners.push(`SASL_SSL://${host}:${broker.saslPort}`)
  const controller = broker.isController ? [`CONTROLLER://${host}:${broker.controllerPort}`] : []
  const values: Readonly<Record<string, string>> = {
    ROLES: broker.isController ? 'broker,controller' : 'broker',
    NODE: String(broker.id),
    VOTERS: voters.map((one) => `${one.id}@${host}:${one.controllerPort}`).join(','),
    DIR: join(directory, name(broker.id)),
    BROKERS: String(brokers.length),
  }
  const template = readFileSync(join(kafkaFiles, 'server.properties.in'), 'utf8')
  const more: Record<string, string> = {
    listeners: [...listeners, ...controller].join(','),
    'advertised.listeners': listeners.join(','),
    ...(keystoreFile === undefined ? {} : saslSettings(keystoreFile)),
    ...options.config,
  }
  return [
    template.replace(/@([A-Z]+)@/g, (_, key: string) => values[key] ?? ''),
    ...Object.entries(more).map(([key, value]) => `${key}=${value}`),
    '',
  ].join('\n')
}

function saslSettings(keystoreFile: string): Record<string, string> {
  const modules = 'org.apache.kafka.common.security'
  const scram = `${modules}.scram.ScramLoginModule required;`
  const listener = 'listener.name.sasl_ssl'
  return {
    'sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512',
    [`${listener}.plain.sasl.jaas.config`]: `${modules}.plain.PlainLoginModule required user_${username}="${password}";`,
    [`${listener}.scram-sha-256.sasl.jaas.config`]: scram,
    [`${listener}.scram-sha-512.sasl.jaas.config`]: scram,
    [`${listener}.ssl.keystore.type`]: 'PEM',
    [`${listener}.ssl.keystore.location`]: keystoreFile,
  }
}
