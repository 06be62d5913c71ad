import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import {
  chmod,
  copyFile,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  writeFile,
} from 'node:fs/promises'
import { homedir } from 'node:os'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'
import { type PortReservation, reservePorts } from './free-ports.ts'
import { ServiceProcesses } from './service-processes.ts'
import { until } from './until.ts'

const run = promisify(execFile)

/** What Alertmanager told its own receiver, in the shape of its webhook. */
export interface AlertmanagerAlert {
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
  readonly startsAt: string
  readonly endsAt: string
  readonly status: { readonly state: string }
}

function cacheRoot(): string {
  const cache = process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache')
  return process.env.WARDEN_SERVICES_DIR ?? join(cache, 'warden-services')
}

interface Program {
  readonly command: string
  /** Holds the templates when they are not where the package puts them; copied to where it runs. */
  readonly templates: string | undefined
}

const packaged = '/usr/share/prometheus/alertmanager'

/**
 * The program of Debian's package prometheus-alertmanager: the installed one, or one unpacked into the cache, which takes no root. Debian's
 * build looks for its templates at one place only; in the unpacked program that path becomes the current directory, which is as long.
 * @throws Error that says how to get it
 */
async function program(): Promise<Program> {
  const installed = '/usr/bin/prometheus-alertmanager'
  if (existsSync(installed)) return { command: installed, templates: undefined }
  const directory = join(cacheRoot(), 'prometheus-alertmanager')
  const found = {
    command: join(directory, 'movable-alertmanager'),
    templates: join(directory, packaged),
  }
  if (existsSync(found.command)) return found
  await mkdir(cacheRoot(), { recursive: true })
  const temporary = await mkdtemp(`${directory}.tmp-`)
  try {
    await run('apt-get', ['download', 'prometheus-alertmanager'], { cwd: temporary })
    const deb = (await readdir(temporary)).find((name) => name.endsWith('.deb')) ?? ''
    await run('dpkg', ['-x', deb, '.'], { cwd: temporary })
    const binary = (await readFile(join(temporary, installed))).toString('latin1')
    const here = './'.repeat(packaged.length / 2)
    const movable = join(temporary, basename(found.command))
    await writeFile(movable, binary.replaceAll(packaged, here), 'latin1')
    await chmod(movable, 0o755)
    // Another process may have been quicker; what it left is the same.
    await rename(temporary, directory).catch(() => rm(temporary, { recursive: true, force: true }))
    return found
  } catch (cause) {
    await rm(temporary, { recursive: true, force: true })
    throw new Error(
      'Alertmanager is not here and could not be fetched. On Debian: run apt-get update and the test again, or apt-get install prometheus-alertmanager; elsewhere the test can’t run.',
      { cause },
    )
  }
}

/** A real Alertmanager on this machine, with one route to nobody. */
export class AlertmanagerService {
  readonly url: string
  readonly #processes: ServiceProcesses
  readonly #ports: PortReservation

  private constructor(url: string, processes: ServiceProcesses, ports: PortReservation) {
    this.url = url
    this.#processes = processes
    this.#ports = ports
  }

  static async start(): Promise<AlertmanagerService> {
    const { command, templates } = await program()
    const ports = await reservePorts(1)
    const processes = new ServiceProcesses('alertmanager')
    const [port] = ports.ports
    const config = join(processes.directory, 'alertmanager.yml')
    await writeFile(config, 'route: { receiver: nobody }\nreceivers: [{ name: nobody }]\n')
    if (templates !== undefined) {
      for (const name of ['default.tmpl', 'email.tmpl']) {
        await copyFile(join(templates, name), join(processes.directory, name))
      }
    }
    const args = [
      `--config.file=${config}`,
      `--storage.path=${join(processes.directory, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--cluster.listen-address=',
    ]
    await processes.start('alertmanager', { command, args })
    const url = `http://127.0.0.1:${port}`
    await until('Alertmanager is ready', async () => (await fetch(`${url}/-/ready`)).ok)
    return new AlertmanagerService(url, processes, ports)
  }

  /** Alerts that fire now, as its API has them. */
  async alerts(): Promise<readonly AlertmanagerAlert[]> {
    const answer = await fetch(`${this.url}/api/v2/alerts`)
    return (await answer.json()) as readonly AlertmanagerAlert[]
  }

  async stop(): Promise<void> {
    await this.#processes.close()
    this.#ports.release()
  }
}
