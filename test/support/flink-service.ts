import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { type PortReservation, reservePorts } from './free-ports.ts'
import { cachedJars, isCached, type JarList } from './jar-cache.ts'
import { copyJars, hasCommand, javaCommand, javaVersion } from './java.ts'
import { ServiceProcesses } from './service-processes.ts'
import { until } from './until.ts'

const run = promisify(execFile)

const files = fileURLToPath(new URL('../services/flink/', import.meta.url))

const jars: JarList = {
  name: 'flink',
  pom: join(files, 'pom.xml'),
  fill: (directory) => copyJars(join(files, 'pom.xml'), directory),
}

/** Why Flink can't run here, in one sentence; undefined when it can. */
export function flinkMissing(): string | undefined {
  const version = javaVersion()
  if (version === undefined || version < 17) {
    const found = version === undefined ? 'none was found' : `this is Java ${version}`
    return `Flink needs Java 17, ${found}: install a JDK (Debian: apt install openjdk-17-jdk-headless) or set JAVA_HOME.`
  }
  if (!(isCached(jars) && isCached(jobJar())) && !hasCommand('mvn', ['-v'])) {
    return `Flink's jars are fetched with Maven, and mvn was not found: install it (Debian: apt install maven).`
  }
  return undefined
}

/** The job of `test/services/flink/job`; another source is another entry of the cache. */
function jobJar(): JarList {
  const folder = join(files, 'job')
  const sources = join(folder, 'src/main/java/warden/bench')
  const hash = createHash('sha256').update(readFileSync(join(folder, 'pom.xml')))
  for (const name of readdirSync(sources).sort()) hash.update(readFileSync(join(sources, name)))
  return {
    name: `flink-job-${hash.digest('hex').slice(0, 12)}`,
    pom: join(folder, 'pom.xml'),
    fill: async (directory) => {
      const pom = join(folder, 'pom.xml')
      const build = join(directory, 'build')
      await run('mvn', ['-B', '-q', '-f', pom, 'package', `-DbuildDirectory=${build}`])
      await cp(join(build, 'flink-job.jar'), join(directory, 'flink-job.jar'))
    },
  }
}

/** Path of the job's jar, built on first use. */
export async function flinkJobJar(): Promise<string> {
  return join(await cachedJars(jobJar()), 'flink-job.jar')
}

export interface FlinkOptions {
  /** Of the TaskManager's process, in MiB; what Flink makes of it (heap, RocksDB, network) is Flink's choice. */
  readonly taskManagerMb: number
  readonly slots: number
}

/** Starts a JobManager and one TaskManager with Flink's own JVM flags; resolves when the TaskManager is registered. */
export async function startFlink(options: FlinkOptions): Promise<FlinkService> {
  const missing = flinkMissing()
  if (missing !== undefined) throw new Error(missing)
  const classPath = join(await cachedJars(jars), '*')
  const ports = await reservePorts(5)
  const processes = new ServiceProcesses('flink')
  const flink = new FlinkService(processes, ports, classPath)
  try {
    await flink.start(options)
    return flink
  } catch (error) {
    await flink.stop()
    throw error
  }
}

/** Of the module list in Flink's own config for Java 17 (`env.java.opts.all`). */
const javaModules = [
  ...[
    'java.base/sun.net.util',
    'java.rmi/sun.rmi.registry',
    'java.security.jgss/sun.security.krb5',
  ].map((name) => `--add-exports=${name}=ALL-UNNAMED`),
  ...['api', 'file', 'parser', 'tree', 'util'].map(
    (name) => `--add-exports=jdk.compiler/com.sun.tools.javac.${name}=ALL-UNNAMED`,
  ),
  ...[
    ...['java.lang', 'java.net', 'java.io', 'java.nio', 'sun.nio.ch', 'java.lang.reflect'],
    ...['java.text', 'java.time', 'java.util', 'java.util.concurrent'],
    ...['java.util.concurrent.atomic', 'java.util.concurrent.locks'],
  ].map((name) => `--add-opens=java.base/${name}=ALL-UNNAMED`),
]

/** A Flink session cluster that belongs to one measurement. */
export class FlinkService {
  readonly url: string
  readonly processes: ServiceProcesses
  readonly #ports: PortReservation
  readonly #classPath: string

  constructor(processes: ServiceProcesses, ports: PortReservation, classPath: string) {
    this.processes = processes
    this.#ports = ports
    this.#classPath = classPath
    this.url = `http://127.0.0.1:${ports.ports[0]}`
  }

  /** What the TaskManager and its tasks write to standard output. */
  get taskManagerLog(): string {
    return this.processes.logFile('taskmanager')
  }

  /** Process ids of JobManager and TaskManager. */
  get pids(): number[] {
    return ['jobmanager', 'taskmanager'].flatMap((id) => this.processes.pid(id) ?? [])
  }

  async start(options: FlinkOptions): Promise<void> {
    const directory = this.processes.directory
    for (const name of ['checkpoints', 'tmp']) await mkdir(join(directory, name))
    await writeFile(join(directory, 'config.yaml'), this.#config(options))
    await this.#launch(
      'jobmanager',
      'GET_JM_RESOURCE_PARAMS',
      'entrypoint.StandaloneSessionClusterEntrypoint',
      ['--executionMode', 'cluster'],
    )
    await this.#untilReady('jobmanager', () => this.overview())
    await this.#launch('taskmanager', 'GET_TM_RESOURCE_PARAMS', 'taskexecutor.TaskManagerRunner')
    await this.#untilReady('taskmanager', async () => (await this.overview()).taskmanagers > 0)
  }

  async overview(): Promise<{ readonly taskmanagers: number }> {
    return (await this.get('/overview')) as { readonly taskmanagers: number }
  }

  /** Uploads the jar and starts its main class; resolves to the id of the job. */
  async submit(jar: string, entryClass: string, programArgsList: readonly string[]) {
    const form = new FormData()
    form.append('jarfile', new Blob([await readFile(jar)]), 'job.jar')
    const uploaded = (await this.#post('/jars/upload', form)) as { readonly filename: string }
    const id = uploaded.filename.split('/').at(-1)
    const body = JSON.stringify({ entryClass, programArgsList })
    return ((await this.#post(`/jars/${id}/run`, body)) as { readonly jobid: string }).jobid
  }

  /** The answer of the REST API. Rejects when it is no success. */
  async get(path: string): Promise<unknown> {
    return await answered(await fetch(this.url + path))
  }

  /** Kills everything and removes its data. */
  async stop(): Promise<void> {
    await this.processes.close()
    this.#ports.release()
  }

  async #post(path: string, body: FormData | string): Promise<unknown> {
    const headers = typeof body === 'string' ? { 'content-type': 'application/json' } : {}
    return await answered(await fetch(this.url + path, { method: 'POST', body, headers }))
  }

  /** @param purpose what Flink's own start scripts ask for: memory flags for the JVM, and settings to go with them */
  async #launch(id: string, purpose: string, main: string, more: readonly string[] = []) {
    const directory = this.processes.directory
    const classes = ['-cp', this.#classPath]
    const configDir = ['--configDir', directory]
    const tool = 'org.apache.flink.runtime.util.bash.BashJavaUtils'
    const { stdout } = await run(javaCommand(), [...classes, tool, purpose, ...configDir])
    const [flags = '', settings = ''] = [
      ...stdout.matchAll(/^BASH_JAVA_UTILS_EXEC_RESULT:(.*)$/gm),
    ].map(([, found = '']) => found)
    const words = (text: string) => text.split(' ').filter((word) => word !== '')
    await this.processes.start(id, {
      command: javaCommand(),
      args: [
        ...[...javaModules, ...words(flags)],
        `-Dlog4j2.configurationFile=${join(files, 'log4j2.properties')}`,
        `-Djava.io.tmpdir=${join(directory, 'tmp')}`,
        ...[...classes, `org.apache.flink.runtime.${main}`, ...configDir, ...more],
        ...words(settings),
      ],
    })
  }

  async #untilReady(id: string, ready: () => Promise<unknown>): Promise<void> {
    await until(`${id} of Flink is ready`, async () => {
      return !this.processes.isRunning(id) || (await ready())
    })
    if (!this.processes.isRunning(id)) {
      throw new Error(`${id} of Flink ended:\n${this.processes.logTail(id)}`)
    }
  }

  #config(options: FlinkOptions): string {
    const [rest, rpc, blob, taskRpc, taskData] = this.#ports.ports
    const directory = this.processes.directory
    return Object.entries({
      'jobmanager.rpc.address': '127.0.0.1',
      'jobmanager.bind-host': '127.0.0.1',
      'jobmanager.rpc.port': rpc,
      'jobmanager.memory.process.size': '1024m',
      'blob.server.port': blob,
      'rest.address': '127.0.0.1',
      'rest.bind-address': '127.0.0.1',
      'rest.port': rest,
      'taskmanager.host': '127.0.0.1',
      'taskmanager.bind-host': '127.0.0.1',
      'taskmanager.rpc.port': taskRpc,
      'taskmanager.data.port': taskData,
      'taskmanager.numberOfTaskSlots': options.slots,
      'taskmanager.memory.process.size': `${options.taskManagerMb}m`,
      'io.tmp.dirs': join(directory, 'tmp'),
      'execution.checkpointing.dir': `file://${join(directory, 'checkpoints')}`,
      // A job that fails is a failed measurement.
      'restart-strategy.type': 'none',
      'web.submit.enable': 'true',
    })
      .map(([key, value]) => `${key}: ${value}\n`)
      .join('')
  }
}

async function answered(response: Response): Promise<unknown> {
  const text = await response.text()
  if (!response.ok) throw new Error(`${response.url}: ${response.status} ${text.slice(0, 2000)}`)
  return JSON.parse(text)
}
