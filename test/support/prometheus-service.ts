import { execFile, spawnSync } from 'node:child_process'
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type PortReservation, reservePorts } from './free-ports.ts'
import { cachedDirectory } from './jar-cache.ts'
import { ServiceProcesses } from './service-processes.ts'
import { until } from './until.ts'

const run = promisify(execFile)

export interface PrometheusPrograms {
  readonly prometheus: string
  readonly promtool: string
}

/**
 * Prometheus and promtool: those that are installed, else Debian's package unpacked into a cache, without root.
 * @throws Error saying how to get them
 */
export async function prometheusPrograms(): Promise<PrometheusPrograms> {
  if (['prometheus', 'promtool'].every((name) => spawnSync(name, ['--version']).status === 0)) {
    return { prometheus: 'prometheus', promtool: 'promtool' }
  }
  try {
    const directory = await cachedDirectory('prometheus-debian', unpackPackage)
    const program = (name: string): string => join(directory, 'root', 'usr', 'bin', name)
    return { prometheus: program('prometheus'), promtool: program('promtool') }
  } catch (cause) {
    throw new Error(
      'Prometheus is not installed and could not be fetched with apt-get download: install it (Debian: apt install prometheus).',
      { cause },
    )
  }
}

async function unpackPackage(directory: string): Promise<void> {
  await downloadPackage(directory).catch(async () => {
    // No package lists, as in a fresh container: lists of one's own need no root either.
    const own = ['lists/partial', 'cache/archives/partial', 'state']
    for (const name of own) await mkdir(join(directory, name), { recursive: true })
    const options = [
      ...['-o', `Dir::State::Lists=${join(directory, 'lists')}`],
      ...['-o', `Dir::Cache=${join(directory, 'cache')}`],
    ]
    await run('apt-get', [...options, 'update'])
    await downloadPackage(directory, options)
  })
  const file = (await readdir(directory)).find((name) => name.endsWith('.deb'))
  if (file === undefined) throw new Error('apt-get downloaded no package')
  await run('dpkg', ['-x', join(directory, file), join(directory, 'root')])
}

async function downloadPackage(directory: string, options: readonly string[] = []): Promise<void> {
  await run('apt-get', [...options, 'download', 'prometheus'], { cwd: directory })
}

/** The answer of the HTTP API to a query. */
export interface PromSeries {
  readonly metric: Readonly<Record<string, string>>
  readonly values: readonly (readonly [seconds: number, value: string])[]
}

/** A Prometheus that scrapes one Warden every second. */
export class PrometheusService {
  readonly url: string
  readonly #processes: ServiceProcesses
  readonly #ports: PortReservation

  constructor(processes: ServiceProcesses, ports: PortReservation) {
    this.#processes = processes
    this.#ports = ports
    this.url = `http://127.0.0.1:${ports.ports[0]}`
  }

  /** @param config text of prometheus.yml */
  static async start(config: string): Promise<PrometheusService> {
    const { prometheus } = await prometheusPrograms()
    const ports = await reservePorts(1)
    const processes = new ServiceProcesses('prometheus')
    const service = new PrometheusService(processes, ports)
    try {
      const file = join(processes.directory, 'prometheus.yml')
      await writeFile(file, config)
      await processes.start('prometheus', {
        command: prometheus,
        args: [
          `--config.file=${file}`,
          `--storage.tsdb.path=${join(processes.directory, 'data')}`,
          `--web.listen-address=127.0.0.1:${ports.ports[0]}`,
        ],
      })
      await until('Prometheus answers', async () => (await fetch(`${service.url}/-/ready`)).ok)
      return service
    } catch (error) {
      const log = processes.logTail('prometheus')
      await service.stop()
      throw new Error(`Prometheus did not start:\n${log}`, { cause: error })
    }
  }

  /** The values of an expression at each step from `from` to `to`, all in seconds. Rejects with what Prometheus says is wrong. */
  async range(expr: string, from: number, to: number, step: number): Promise<PromSeries[]> {
    const parameters = { query: expr, start: String(from), end: String(to), step: String(step) }
    const answer = await this.get('/api/v1/query_range', parameters)
    return (answer as { result: PromSeries[] }).result
  }

  /** The `data` of an answer of the HTTP API. */
  async get(path: string, parameters: Readonly<Record<string, string>>): Promise<unknown> {
    const response = await fetch(`${this.url}${path}?${new URLSearchParams(parameters)}`)
    const body = (await response.json()) as { status: string; error?: string; data: unknown }
    if (body.status !== 'success') throw new Error(`${JSON.stringify(parameters)}: ${body.error}`)
    return body.data
  }

  async stop(): Promise<void> {
    await this.#processes.close()
    this.#ports.release()
  }
}
