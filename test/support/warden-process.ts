import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { until } from './until.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const program = join(root, 'bin/warden.js')

/** One line of Warden's log. */
export interface LogLine {
  readonly level: string
  readonly msg: string
  readonly [field: string]: unknown
}

export interface WardenExit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/** The body of /health/ready. */
export interface ReadyAnswer {
  /** Of the HTTP answer. */
  readonly code: number
  readonly status: string
  readonly troubles: readonly string[]
  readonly sinks: readonly SinkAnswer[]
}

export interface SinkAnswer {
  readonly name: string
  /** Epoch ms; left out when the sink has written everything. */
  readonly oldestUnwrittenAt?: number
}

/** Loaded before Warden: when the test is gone, whatever ended it, the pipe closes and Warden with it. */
const leash = `data:text/javascript,${encodeURIComponent(
  `process.stdin.on('close', () => process.kill(process.pid, 'SIGKILL')).resume().unref()`,
)}`

let isBuilt = false

/** Builds dist/ when a source is newer. */
function build(): void {
  if (isBuilt) return
  const { status } = spawnSync(process.execPath, ['scripts/build.mjs', '--if-stale'], {
    cwd: root,
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  if (status !== 0) throw new Error('Warden could not be built')
  isBuilt = true
}

/** A directory with a config for Warden; the state lies there too, and one Warden after the other runs on it. */
export class WardenHome {
  readonly directory: string
  readonly #env: Readonly<Record<string, string>>
  readonly #config: object

  /**
   * @param config the whole config, without `server` and `log`: any free port, and every line
   * @param env on top of the test's own
   */
  constructor(config: object, env: Readonly<Record<string, string>> = {}) {
    build()
    this.directory = mkdtempSync(join(tmpdir(), 'warden-e2e-'))
    this.#env = env
    this.#config = config
    this.change({})
  }

  /** From the next run on these keys say something else. */
  change(keys: object): void {
    const own = { server: { listen: '127.0.0.1:0' }, log: { level: 'debug' } }
    // JSON is YAML too.
    writeFileSync(this.configFile, JSON.stringify({ ...this.#config, ...own, ...keys }, null, 2))
  }

  get configFile(): string {
    return this.path('warden.yaml')
  }

  path(name: string): string {
    return join(this.directory, name)
  }

  /** `warden run`; resolves at once. */
  run(): WardenProcess {
    return new WardenProcess(['run', '-c', this.configFile], this.#env)
  }

  /** `warden VERB -c FILE` to its end. */
  async command(verb: 'check' | 'explain'): Promise<WardenExit & { readonly output: string }> {
    const warden = new WardenProcess([verb, '-c', this.configFile], this.#env)
    const exit = await warden.exited
    return { ...exit, output: warden.output }
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true })
  }
}

/** One life of Warden. It ends with the test process at the latest. */
export class WardenProcess {
  /** Resolves when it is gone and everything it wrote has been read. */
  readonly exited: Promise<WardenExit>
  readonly lines: LogLine[] = []
  /** All it wrote, standard output included. */
  output = ''
  readonly #child: ChildProcess
  readonly #listeners = new Set<(line: LogLine) => void>()
  #exit: WardenExit | undefined
  #rest = ''

  constructor(args: readonly string[], env: Readonly<Record<string, string>>) {
    const child = spawn(process.execPath, ['--import', leash, program, ...args], {
      env: { ...process.env, NODE_OPTIONS: '', ...env },
      stdio: ['pipe', 'pipe', 'pipe'],
    })
    this.#child = child
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.output += text
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => this.#take(text))
    child.stdin.on('error', () => {})
    this.exited = new Promise((resolve, reject) => {
      child.once('error', reject)
      child.once('close', (code, signal) => {
        this.#exit = { code, signal }
        resolve(this.#exit)
      })
    })
  }

  get isRunning(): boolean {
    return this.#exit === undefined
  }

  /** Calls back for each line from now on, as soon as it is read; the returned function ends that. */
  onLine(listener: (line: LogLine) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** The first line that is wanted, those written before included. Rejects when Warden ends without it. */
  async until(
    what: string,
    wanted: (line: LogLine) => boolean,
    timeoutMs = 120_000,
  ): Promise<LogLine> {
    const known = this.lines.find(wanted)
    if (known !== undefined) return known
    let stop = () => {}
    let timer: NodeJS.Timeout | undefined
    try {
      return await new Promise<LogLine>((resolve, reject) => {
        stop = this.onLine((line) => {
          if (wanted(line)) resolve(line)
        })
        timer = setTimeout(
          () => reject(this.#failure(`no line in ${timeoutMs} ms: ${what}`)),
          timeoutMs,
        )
        void this.exited.then(
          ({ code, signal }) =>
            reject(this.#failure(`ended with ${code ?? signal} before: ${what}`)),
          reject,
        )
      })
    } finally {
      stop()
      clearTimeout(timer)
    }
  }

  /** Where it listens; resolves when it does. */
  async url(): Promise<string> {
    const { addresses } = await this.until('it listens', ({ msg }) => msg === 'listening')
    const [first] = addresses as readonly { readonly address: string; readonly port: number }[]
    if (first === undefined) throw new Error('Warden listens nowhere')
    return `http://${first.address}:${first.port}`
  }

  /** What /health/ready answers now. */
  async health(): Promise<ReadyAnswer> {
    const response = await fetch(`${await this.url()}/health/ready`, {
      signal: AbortSignal.timeout(30_000),
    })
    const body = (await response.json()) as Omit<ReadyAnswer, 'code'>
    return { ...body, code: response.status }
  }

  /** Resolves when it counts. */
  async ready(): Promise<void> {
    await until('Warden is ready', async () => {
      if (!this.isRunning) return true
      return (await this.health()).code === 200
    })
    if (!this.isRunning) throw this.#failure('ended before it was ready')
  }

  /** The figures of /metrics, by name and labels as they stand there: `warden_rows_total{metric="loan"}`. */
  async metrics(): Promise<Map<string, number>> {
    const response = await fetch(`${await this.url()}/metrics`, {
      signal: AbortSignal.timeout(30_000),
    })
    const figures = new Map<string, number>()
    for (const line of (await response.text()).split('\n')) {
      const at = line.lastIndexOf(' ')
      if (line.startsWith('#') || at < 0) continue
      figures.set(line.slice(0, at), Number(line.slice(at + 1)))
    }
    return figures
  }

  /** Without waiting. */
  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }

  /** SIGKILL; resolves when it is gone. Nothing happens to one that ended by itself. */
  async kill(): Promise<WardenExit> {
    this.signal('SIGKILL')
    return await this.exited
  }

  /** SIGTERM; rejects when it does not end with exit code 0. */
  async stop(timeoutMs = 180_000): Promise<void> {
    this.signal('SIGTERM')
    const timer = setTimeout(() => this.signal('SIGKILL'), timeoutMs)
    const { code, signal } = await this.exited
    clearTimeout(timer)
    if (code !== 0) throw this.#failure(`ended with ${code ?? signal} after SIGTERM`)
  }

  #take(text: string): void {
    this.output += text
    const lines = (this.#rest + text).split('\n')
    this.#rest = lines.pop() ?? ''
    for (const text of lines) {
      // What a person is told when Warden gives up is no JSON.
      if (!text.startsWith('{')) continue
      const line = JSON.parse(text) as LogLine
      this.lines.push(line)
      for (const listener of [...this.#listeners]) listener(line)
    }
  }

  #failure(what: string): Error {
    return new Error(`Warden: ${what}\n${this.output.slice(-6_000)}`)
  }
}

/** Sum of the figures of a name, over all labels. */
export function totalOf(figures: ReadonlyMap<string, number>, name: string): number {
  let total = 0
  for (const [key, value] of figures) {
    if (key === name || key.startsWith(`${name}{`)) total += value
  }
  return total
}
