import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { type PortReservation, reservePorts } from './free-ports.ts'
import { cachedJars, isCached, type JarList } from './jar-cache.ts'
import { copyJars, hasCommand, javaCommand, javaVersion } from './java.ts'
import { ServiceProcesses } from './service-processes.ts'
import { until } from './until.ts'

const run = promisify(execFile)
const files = fileURLToPath(new URL('../services/opentsdb/', import.meta.url))

const jars: JarList = {
  name: 'opentsdb',
  pom: join(files, 'tsd', 'pom.xml'),
  async fill(directory) {
    const hbase = join(directory, 'hbase')
    await copyJars(join(files, 'tsd', 'pom.xml'), join(directory, 'tsd'))
    await copyJars(join(files, 'hbase', 'pom.xml'), hbase)
    const tables = ['-d', join(directory, 'tables'), join(files, 'CreateTables.java')]
    await run(javaCommand('javac'), ['-nowarn', '-cp', join(hbase, '*'), ...tables])
  },
}

/** Why OpenTSDB can't run here, in one sentence; undefined when it can. */
export function opentsdbMissing(): string | undefined {
  const version = javaVersion()
  if (version === undefined || version < 17 || version > 22) {
    const found = version === undefined ? 'none was found' : `this is Java ${version}`
    return `HBase 2.4 needs Java 17 to 22, ${found}: install one (Debian: apt install openjdk-17-jdk-headless) or set JAVA_HOME.`
  }
  if (isCached(jars)) return undefined
  if (!hasCommand('mvn', ['-v'])) {
    return `OpenTSDB's jars are fetched with Maven, and mvn was not found: install it (Debian: apt install maven).`
  }
  if (!hasCommand(javaCommand('javac'), ['-version'])) {
    return `A small program that creates OpenTSDB's tables is compiled with javac, which was not found: install a JDK (Debian: apt install openjdk-17-jdk-headless).`
  }
  return undefined
}

export interface OpentsdbOptions {
  /** The TSD accepts a rewritten value of another encoding (default true); a stock TSD (false) then fails every query of the row. */
  readonly fixDuplicates?: boolean
  /** HBase refuses big concurrent batches, as a stock one does (default false). */
  readonly storeTooBusy?: boolean
  readonly hbaseHeapMb?: number
  readonly tsdHeapMb?: number
}

/** Starts an OpenTSDB on an HBase of its own, on free ports, with data in a temporary directory; resolves when it stores points. */
export async function startOpentsdb(options: OpentsdbOptions = {}): Promise<OpentsdbService> {
  const missing = opentsdbMissing()
  if (missing !== undefined) throw new Error(missing)
  const jarDirectory = await cachedJars(jars)
  const reservation = await reservePorts(4)
  const processes = new ServiceProcesses('opentsdb')
  const service = new OpentsdbService(jarDirectory, processes, reservation, options)
  try {
    await service.prepare()
    await service.start()
    return service
  } catch (error) {
    await service.stop()
    throw error
  }
}

/** An OpenTSDB that belongs to one test: TSD and HBase may be stopped, killed, frozen and started again, apart from each other. */
export class OpentsdbService {
  readonly url: string
  readonly processes: ServiceProcesses
  readonly #jarDirectory: string
  readonly #ports: PortReservation
  readonly #options: OpentsdbOptions

  constructor(
    jarDirectory: string,
    processes: ServiceProcesses,
    ports: PortReservation,
    options: OpentsdbOptions,
  ) {
    this.#jarDirectory = jarDirectory
    this.processes = processes
    this.#ports = ports
    this.#options = options
    this.url = `http://127.0.0.1:${ports.ports[0]}`
  }

  /** Writes the configuration files. */
  async prepare(): Promise<void> {
    const { directory } = this.processes
    const [tsd, zookeeper, master, region] = this.#ports.ports
    const values: Readonly<Record<string, string>> = {
      DIR: directory,
      TSD_PORT: String(tsd),
      ZOOKEEPER_PORT: String(zookeeper),
      MASTER_PORT: String(master),
      REGION_PORT: String(region),
      FIX_DUPLICATES: String(this.#options.fixDuplicates ?? true),
      PARALLEL_PUT_LIMIT: this.#options.storeTooBusy === true ? '10' : '0',
    }
    await mkdir(join(directory, 'conf'))
    await mkdir(join(directory, 'static'))
    await mkdir(join(directory, 'cache'))
    for (const name of ['hbase-site.xml', 'opentsdb.conf']) {
      const template = readFileSync(join(files, `${name}.in`), 'utf8')
      const text = template.replace(/@([A-Z_]+)@/g, (_, key: string) => values[key] ?? '')
      await writeFile(join(directory, 'conf', name), text)
    }
  }

  /** Starts what does not run. */
  async start(): Promise<void> {
    if (!this.processes.isRunning('hbase')) await this.startHbase()
    if (!this.processes.isRunning('tsd')) await this.startTsd()
  }

  /** Stops everything for good and removes its data. */
  async stop(): Promise<void> {
    await this.processes.close()
    this.#ports.release()
  }

  /** Resolves when HBase serves the tables; creates them when they are not there. */
  async startHbase(): Promise<void> {
    const classPath = `${join(this.processes.directory, 'conf')}:${join(files)}:${join(this.#jarDirectory, 'hbase', '*')}`
    const java = [...openPackages, '-Djava.net.preferIPv4Stack=true', '-XX:+UseSerialGC']
    await this.processes.start('hbase', {
      command: javaCommand(),
      args: [
        ...java,
        `-Xmx${this.#options.hbaseHeapMb ?? 1024}m`,
        '-cp',
        classPath,
        'org.apache.hadoop.hbase.master.HMaster',
        'start',
      ],
      env: { HADOOP_USER_NAME: 'warden' },
    })
    await this.#untilOrDead('hbase', 'ZooKeeper listens', () => listens(this.#ports.ports[1] ?? 0))
    await this.processes.start('tables', {
      command: javaCommand(),
      args: [
        ...java,
        '-XX:TieredStopAtLevel=1',
        '-Xmx256m',
        '-cp',
        `${classPath}:${join(this.#jarDirectory, 'tables')}`,
        'CreateTables',
      ],
    })
    const exit = await this.processes.exit('tables')
    if (exit?.code !== 0) {
      const logs = `${this.processes.logTail('tables')}\n${this.processes.logTail('hbase')}`
      throw new Error(`HBase has no tables:\n${logs}`)
    }
  }

  /** SIGTERM. The TSD stays up. */
  async stopHbase(): Promise<void> {
    await this.processes.terminate('hbase', 60_000)
  }

  /** SIGKILL. Points of acknowledged `?sync` puts survive it. */
  async killHbase(): Promise<void> {
    await this.processes.kill('hbase')
  }

  /** SIGSTOP: puts hang. Frozen for longer than its ZooKeeper session (90 s), HBase ends by itself when thawed. */
  freezeHbase(): void {
    this.processes.signal('hbase', 'SIGSTOP')
  }

  thawHbase(): void {
    this.processes.signal('hbase', 'SIGCONT')
  }

  /** Resolves when a point was stored. */
  async startTsd(): Promise<void> {
    const { directory } = this.processes
    await this.processes.start('tsd', {
      command: javaCommand(),
      args: [
        ...openPackages,
        '-Djava.net.preferIPv4Stack=true',
        '-XX:+UseSerialGC',
        `-Xmx${this.#options.tsdHeapMb ?? 1024}m`,
        '-cp',
        `${join(files, 'tsd')}:${join(this.#jarDirectory, 'tsd', '*')}`,
        'net.opentsdb.tools.TSDMain',
        `--config=${join(directory, 'conf', 'opentsdb.conf')}`,
      ],
    })
    await this.#untilOrDead('tsd', 'the TSD stores a point', () => this.stores())
  }

  /** SIGTERM: what the TSD buffers is flushed first. */
  async stopTsd(): Promise<void> {
    await this.processes.terminate('tsd', 60_000)
  }

  async killTsd(): Promise<void> {
    await this.processes.kill('tsd')
  }

  /** SIGSTOP: connections are accepted by the system, nothing answers. */
  freezeTsd(): void {
    this.processes.signal('tsd', 'SIGSTOP')
  }

  thawTsd(): void {
    this.processes.signal('tsd', 'SIGCONT')
  }

  /** Runs one of OpenTSDB's command line tools to its end; returns what it printed. Rejects when it fails. */
  async tool(mainClass: string, args: readonly string[]): Promise<string> {
    const classPath = `${join(files, 'tsd')}:${join(this.#jarDirectory, 'tsd', '*')}`
    const config = `--config=${join(this.processes.directory, 'conf', 'opentsdb.conf')}`
    const java = [...openPackages, '-Djava.net.preferIPv4Stack=true', '-XX:TieredStopAtLevel=1']
    const command = [...java, '-cp', classPath, `net.opentsdb.tools.${mainClass}`, config, ...args]
    const { stdout } = await run(javaCommand(), command, { maxBuffer: 2 ** 26 })
    return stdout
  }

  /** Was a point stored just now? `/api/version` proves nothing: it answers while HBase is away. */
  async stores(): Promise<boolean> {
    const response = await fetch(`${this.url}/api/put?sync&summary&sync_timeout=4000`, {
      method: 'POST',
      body: JSON.stringify({ metric: 'probe', timestamp: 1, value: '1.0', tags: { of: 'test' } }),
      signal: AbortSignal.timeout(5000),
    })
    const answer: unknown = await response.json()
    return (
      typeof answer === 'object' && answer !== null && 'success' in answer && answer.success === 1
    )
  }

  async #untilOrDead(id: string, what: string, probe: () => Promise<boolean>): Promise<void> {
    let dead = false
    await until(
      what,
      async () => {
        dead = !this.processes.isRunning(id)
        return dead || (await probe())
      },
      120_000,
      100,
    ).catch((error: unknown) => {
      throw new Error(`${id} did not start:\n${this.processes.logTail(id)}`, { cause: error })
    })
    if (dead) throw new Error(`${id} ended:\n${this.processes.logTail(id)}`)
  }
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}

/** HBase 2.4 and the TSD were written for Java 8 and reach into these. */
const openPackages = [
  ...[
    'java.base/java.lang',
    'java.base/java.lang.reflect',
    'java.base/java.util',
    'java.base/java.util.concurrent',
    'java.base/java.net',
    'java.base/java.nio',
    'java.base/sun.nio.ch',
    'java.base/jdk.internal.ref',
  ].flatMap((one) => ['--add-opens', `${one}=ALL-UNNAMED`]),
  ...['java.base/jdk.internal.misc', 'java.security.jgss/sun.security.krb5'].flatMap((one) => [
    '--add-exports',
    `${one}=ALL-UNNAMED`,
  ]),
]
