import { mkdir, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type PortReservation, reservePorts } from './free-ports.ts'
import { cachedJars, isCached, type JarList } from './jar-cache.ts'
import { copyJars, hasCommand, javaCommand, javaVersion } from './java.ts'
import { ServiceProcesses } from './service-processes.ts'
import { until } from './until.ts'

const pom = fileURLToPath(new URL('../services/zookeeper/pom.xml', import.meta.url))
const jars: JarList = { name: 'zookeeper', pom, fill: (directory) => copyJars(pom, directory) }

/** Why ZooKeeper can't run here, in one sentence; undefined when it can. */
export function zookeeperMissing(): string | undefined {
  if ((javaVersion() ?? 0) < 11) {
    return 'ZooKeeper needs Java 11 or newer: install one (Debian: apt install openjdk-17-jre-headless) or set JAVA_HOME.'
  }
  if (isCached(jars) || hasCommand('mvn', ['-v'])) return undefined
  return `ZooKeeper's jars are fetched with Maven, and mvn was not found: install it (Debian: apt install maven).`
}

/** Starts a ZooKeeper server of its own; resolves when it answers. Its sessions may be 1 to 20 s long. */
export async function startZookeeper(): Promise<ZookeeperService> {
  const missing = zookeeperMissing()
  if (missing !== undefined) throw new Error(missing)
  const directory = await cachedJars(jars)
  const ports = await reservePorts(1)
  const service = new ZookeeperService(directory, new ServiceProcesses('zookeeper'), ports)
  try {
    await service.start()
    return service
  } catch (error) {
    await service.stop()
    throw error
  }
}

/** A ZooKeeper that belongs to one test: it may be killed, frozen and started again on the same port and data. */
export class ZookeeperService {
  readonly port: number
  readonly #jars: string
  readonly #processes: ServiceProcesses
  readonly #ports: PortReservation

  constructor(jarDirectory: string, processes: ServiceProcesses, ports: PortReservation) {
    this.#jars = jarDirectory
    this.#processes = processes
    this.#ports = ports
    this.port = ports.ports[0] ?? 0
  }

  async start(): Promise<void> {
    const { directory } = this.#processes
    await mkdir(join(directory, 'data'), { recursive: true })
    const config = [
      `dataDir=${join(directory, 'data')}`,
      `clientPort=${this.port}`,
      'clientPortAddress=127.0.0.1',
      'tickTime=500',
      'admin.enableServer=false',
      '4lw.commands.whitelist=ruok',
    ]
    await writeFile(join(directory, 'zoo.cfg'), `${config.join('\n')}\n`)
    await this.#processes.start('zookeeper', {
      command: javaCommand(),
      args: [
        ...['-Xmx128m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'],
        ...['-cp', join(this.#jars, '*'), 'org.apache.zookeeper.server.quorum.QuorumPeerMain'],
        join(directory, 'zoo.cfg'),
      ],
    })
    try {
      await until(
        'ZooKeeper answers',
        async () => !this.#processes.isRunning('zookeeper') || (await isOk(this.port)),
      )
    } catch (cause) {
      throw new Error(this.#processes.logTail('zookeeper'), { cause })
    }
    if (!this.#processes.isRunning('zookeeper')) {
      throw new Error(`ZooKeeper ended:\n${this.#processes.logTail('zookeeper')}`)
    }
  }

  /** SIGKILL; sessions and nodes are still there after the next start. */
  async kill(): Promise<void> {
    await this.#processes.kill('zookeeper')
  }

  freeze(): void {
    this.#processes.signal('zookeeper', 'SIGSTOP')
  }

  thaw(): void {
    this.#processes.signal('zookeeper', 'SIGCONT')
  }

  async stop(): Promise<void> {
    await this.#processes.close()
    this.#ports.release()
  }
}

function isOk(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port })
    let answer = ''
    socket.setTimeout(2000, () => socket.destroy())
    socket.on('connect', () => socket.end('ruok'))
    socket.on('data', (chunk) => {
      answer += chunk.toString()
    })
    socket.on('error', () => {})
    socket.on('close', () => resolve(answer === 'imok'))
  })
}
