import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { reservePorts } from '../../support/free-ports.ts'
import { processTree } from './process-tree.ts'
import { stallFile } from './stalls.ts'
import { knowsLanes, type WardenSetup, wardenConfig } from './warden-config.ts'

/** `bin/warden.js` of this checkout; the npm scripts build it first. */
export const thisWarden = fileURLToPath(new URL('../../../bin/warden.js', import.meta.url))

/** Longest time without progress. */
const stallMs = 60_000

/** Figures of /metrics by name and labels, as they stand there. */
export type Figures = ReadonlyMap<string, number>

/** `warden run` in a process of its own with a directory of its own. */
export class WardenRun {
  readonly directory: string
  readonly #child: ChildProcess
  readonly #url: string
  readonly #release: () => void
  readonly #failures: string[] = []

  private constructor(directory: string, child: ChildProcess, url: string, release: () => void) {
    this.directory = directory
    this.#child = child
    this.#url = url
    this.#release = release
    if (child.stderr === null) throw new Error('no log of Warden')
    createInterface({ input: child.stderr }).on('line', (line) => {
      // Shows what is worse than INFO.
      if (line.includes('"level":"info"') || line.includes('"level":"debug"')) return
      this.#failures.push(line)
      process.stderr.write(`${line}\n`)
    })
  }

  /**
   * @param program `bin/warden.js` of a built checkout
   * @param nodeArguments arguments for Node
   */
  static async start(
    setup: Omit<WardenSetup, 'directory'>,
    program: string = thisWarden,
    nodeArguments: readonly string[] = [],
  ): Promise<WardenRun> {
    const directory = await mkdtemp(join(tmpdir(), 'warden-bench-'))
    const { ports, release } = await reservePorts(1)
    const listen = `127.0.0.1:${ports[0]}`
    const file = join(directory, 'bench.yaml')
    // JSON is YAML too.
    const lanes = knowsLanes(program) ? setup.lanes : undefined
    const config = { ...wardenConfig({ ...setup, lanes, directory }), server: { listen } }
    await writeFile(file, JSON.stringify(config, undefined, 2))
    const child = spawn(process.execPath, [...nodeArguments, program, 'run', '-c', file], {
      env: { ...process.env, WARDEN_BENCH_STALLS: stallFile(directory) },
      stdio: ['ignore', 'inherit', 'pipe'],
    })
    return new WardenRun(directory, child, `http://${listen}`, release)
  }

  get pids(): number[] {
    return this.#child.pid === undefined ? [] : processTree([this.#child.pid])
  }

  /** Empty until it listens. Rejects when Warden has ended. */
  async metrics(): Promise<Figures> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) {
      const end = this.#child.exitCode ?? this.#child.signalCode
      throw new Error(`Warden ended with ${end}\n${this.#failures.slice(-3).join('\n')}`)
    }
    const figures = new Map<string, number>()
    const text = await fetch(`${this.#url}/metrics`)
      .then((response) => (response.ok ? response.text() : ''))
      .catch(() => '')
    for (const line of text.split('\n')) {
      const at = line.lastIndexOf(' ')
      if (!line.startsWith('#') && at > 0)
        figures.set(line.slice(0, at), Number(line.slice(at + 1)))
    }
    return figures
  }

  /**
   * Looks at /metrics until all records are counted. Rejects when nothing moves for a minute.
   * @param each called with every look
   */
  async untilCounted(
    records: number,
    everyMs: number,
    each: (records: number, figures: Figures) => void,
  ): Promise<Figures> {
    let before = -1
    let movedAt = performance.now()
    for (;;) {
      const figures = await this.metrics()
      const counted = sumOf(figures, 'warden_records_total')
      each(counted, figures)
      if (counted >= records) return figures
      if (counted > before) movedAt = performance.now()
      before = counted
      if (performance.now() - movedAt > stallMs) {
        throw new Error(`Warden stands at ${counted} of ${records} records`)
      }
      await sleep(everyMs)
    }
  }

  /** Without waiting. */
  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }

  /** SIGTERM; rejects when it does not end well. */
  async stop(): Promise<void> {
    this.#child.kill('SIGTERM')
    if (this.#child.exitCode === null) await once(this.#child, 'exit')
    if (this.#child.exitCode !== 0) throw new Error(`Warden ended with ${this.#child.exitCode}`)
  }

  /** Whatever state it is in: nothing of it is left. */
  async remove(): Promise<void> {
    this.#child.kill('SIGKILL')
    this.#release()
    await rm(this.directory, { recursive: true, force: true, maxRetries: 5 })
  }
}

/** Sum of the figures of a name, over all labels. */
export function sumOf(figures: Figures, name: string): number {
  let total = 0
  for (const [key, value] of figures) {
    if (key === name || key.startsWith(`${name}{`)) total += value
  }
  return total
}
