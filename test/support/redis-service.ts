import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { mkdir, readdir } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type PortReservation, reservePorts } from './free-ports.ts'
import { cachedDirectory } from './jar-cache.ts'
import { hasCommand } from './java.ts'
import { ServiceProcesses } from './service-processes.ts'
import { until } from './until.ts'

const run = promisify(execFile)

/** The server and the libraries that a Debian without it lacks. */
const packages =
  'redis-server redis-tools liblzf1 libjemalloc2 liblua5.1-0 lua-cjson lua-bitop libatomic1'

export interface RedisService {
  readonly port: number
  readonly url: string
  /** Ends the server at once, as kill -9 does; its data is gone, as nothing is saved. */
  kill(): Promise<void>
  /** Stops answering without closing anything; resolves when it stands still. */
  freeze(): Promise<void>
  thaw(): void
  start(): Promise<void>
  close(): Promise<void>
}

interface Program {
  readonly command: string
  readonly libraries: string
}

/** The installed server, or one from Debian's packages, unpacked into the cache of services. */
async function redisProgram(): Promise<Program> {
  if (hasCommand('redis-server', ['--version'])) return { command: 'redis-server', libraries: '' }
  if (!hasCommand('apt-get', ['--version']) || !hasCommand('dpkg', ['--version'])) {
    throw new Error(
      'a Redis is needed, and redis-server was not found: install it (Debian: apt install redis-server)',
    )
  }
  const root = await cachedDirectory('redis-debian', async (directory) => {
    const archives = join(directory, 'archives')
    await mkdir(archives)
    try {
      await run('apt-get', ['download', ...packages.split(' ')], { cwd: archives })
    } catch (cause) {
      const how = 'run apt-get update, or install it: apt install redis-server'
      throw new Error(`Debian's packages of Redis can't be fetched; ${how}`, { cause })
    }
    for (const archive of await readdir(archives)) {
      await run('dpkg', ['-x', join(archives, archive), directory])
    }
  })
  const [platform = ''] = await readdir(join(root, 'usr', 'lib')).then((names) =>
    names.filter((name) => name.endsWith('-linux-gnu')),
  )
  return {
    command: join(root, 'usr', 'bin', 'redis-server'),
    libraries: join(root, 'usr', 'lib', platform),
  }
}

/** Starts a Redis on a free port, without persistence; resolves when it answers. `settings`: as on its command line. */
export async function startRedis(settings: readonly string[] = []): Promise<RedisService> {
  const program = await redisProgram()
  const reservation = await reservePorts(1)
  const service = new OwnRedis(program, settings, reservation)
  await service.start()
  return service
}

/** Linux says so of each process; elsewhere nobody does. */
function isStopped(pid: number | undefined): boolean {
  if (process.platform !== 'linux') return true
  return /^State:\tT/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
}

class OwnRedis implements RedisService {
  readonly port: number
  readonly #program: Program
  readonly #settings: readonly string[]
  readonly #reservation: PortReservation
  readonly #processes = new ServiceProcesses('redis')

  constructor(program: Program, settings: readonly string[], reservation: PortReservation) {
    this.#program = program
    this.#settings = settings
    this.#reservation = reservation
    this.port = reservation.ports[0] ?? 0
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`
  }

  async start(): Promise<void> {
    const { command, libraries } = this.#program
    const fixed = ['--port', String(this.port), '--bind', '127.0.0.1', '--save', '']
    await this.#processes.start('redis', {
      command,
      args: [...fixed, '--daemonize', 'no', ...this.#settings],
      env: libraries === '' ? {} : { LD_LIBRARY_PATH: libraries },
    })
    await until('Redis answers', () => this.#answers())
  }

  async freeze(): Promise<void> {
    const pid = this.#processes.pid('redis')
    this.#processes.signal('redis', 'SIGSTOP')
    // The signal takes a way through another process; on a busy machine a request is faster.
    await until('Redis stands still', () => isStopped(pid), 60_000, 5)
  }

  thaw(): void {
    this.#processes.signal('redis', 'SIGCONT')
  }

  async kill(): Promise<void> {
    await this.#processes.kill('redis')
  }

  async close(): Promise<void> {
    await this.#processes.close()
    this.#reservation.release()
  }

  #answers(): Promise<boolean> {
    return new Promise((resolve) => {
      const socket = connect(this.port, '127.0.0.1', () => socket.write('PING\r\n'))
      socket.once('data', () => {
        socket.destroy()
        resolve(true)
      })
      socket.once('error', () => resolve(false))
    })
  }
}
