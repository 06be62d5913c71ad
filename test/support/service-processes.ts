import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, fstatSync, mkdtempSync, openSync, readSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { KeeperReport, KeeperRequest } from '../services/keeper-messages.ts'

export interface ServiceCommand {
  readonly command: string
  readonly args: readonly string[]
  readonly env?: Readonly<Record<string, string>>
}

export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  /** Why the process could not even be started. */
  readonly reason: string | undefined
}

interface Running {
  readonly pid: number
  readonly exited: Promise<Exit>
}

/**
 * The processes of one service and its temporary directory. They belong to a keeper process, so that nothing of them
 * outlives the test, however that ends. An idle service does not keep the test process alive.
 */
export class ServiceProcesses {
  readonly directory: string
  readonly #keeper: ChildProcess
  readonly #keeperGone: Promise<void>
  readonly #running = new Map<string, Running>()
  readonly #starting = new Map<string, (pid: number) => void>()
  readonly #exits = new Map<string, (exit: Exit) => void>()

  constructor(name: string) {
    this.directory = mkdtempSync(join(tmpdir(), `warden-${name}-`))
    const keeper = fileURLToPath(new URL('../services/keeper.ts', import.meta.url))
    const args = ['--import', import.meta.resolve('tsx'), keeper, this.directory]
    this.#keeper = spawn(process.execPath, args, {
      detached: true,
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    })
    this.#keeperGone = new Promise((resolve) => this.#keeper.once('exit', () => resolve()))
    this.#keeper.on('message', (report: KeeperReport) => this.#report(report))
    this.#idle()
  }

  /** Starts a process under `id`; it writes to `<directory>/<id>.log`. Rejects when it can't be started. */
  async start(id: string, { command, args, env = {} }: ServiceCommand): Promise<void> {
    if (this.#running.has(id)) throw new Error(`${id} is running`)
    const exited = new Promise<Exit>((resolve) => this.#exits.set(id, resolve))
    const started = new Promise<number>((resolve) => this.#starting.set(id, resolve))
    this.#send({
      kind: 'start',
      id,
      command,
      args,
      cwd: this.directory,
      env,
      logFile: this.logFile(id),
    })
    const first = await this.#busy(Promise.race([started, exited]))
    if (typeof first !== 'number') {
      throw new Error(`${command} did not start: ${first.reason ?? `exit ${first.code}`}`)
    }
    // It may have ended between the two answers.
    if (this.#exits.has(id)) this.#running.set(id, { pid: first, exited })
  }

  isRunning(id: string): boolean {
    return this.#running.has(id)
  }

  /** Process id, for tests that look at the process table; undefined when it is not running. */
  pid(id: string): number | undefined {
    return this.#running.get(id)?.pid
  }

  signal(id: string, signal: NodeJS.Signals): void {
    if (!this.isRunning(id)) throw new Error(`${id} is not running`)
    this.#send({ kind: 'signal', id, signal })
  }

  /** Resolves when the process is gone; at once when it does not run. */
  async exit(id: string): Promise<Exit | undefined> {
    const running = this.#running.get(id)
    return running === undefined ? undefined : await this.#busy(running.exited)
  }

  /** SIGKILL, and waits for the end. */
  async kill(id: string): Promise<void> {
    if (!this.isRunning(id)) return
    this.signal(id, 'SIGKILL')
    await this.exit(id)
  }

  /** SIGTERM, after `graceMs` SIGKILL; waits for the end. A frozen process is thawed for it. */
  async terminate(id: string, graceMs = 30_000): Promise<void> {
    if (!this.isRunning(id)) return
    this.signal(id, 'SIGCONT')
    this.signal(id, 'SIGTERM')
    const timer = setTimeout(() => {
      if (this.isRunning(id)) this.signal(id, 'SIGKILL')
    }, graceMs)
    try {
      await this.exit(id)
    } finally {
      clearTimeout(timer)
    }
  }

  logFile(id: string): string {
    return join(this.directory, `${id}.log`)
  }

  /** The end of what the process wrote, for error messages. */
  logTail(id: string, bytes = 3000): string {
    try {
      const file = openSync(this.logFile(id), 'r')
      try {
        const { size } = fstatSync(file)
        const tail = Buffer.alloc(Math.min(size, bytes))
        readSync(file, tail, 0, tail.length, size - tail.length)
        return tail.toString()
      } finally {
        closeSync(file)
      }
    } catch {
      return ''
    }
  }

  /** Kills what still runs, removes the directory; resolves when all of it is gone. */
  async close(): Promise<void> {
    if (this.#keeper.connected) this.#send({ kind: 'end' })
    await this.#busy(this.#keeperGone)
  }

  #report(report: KeeperReport): void {
    if (report.kind === 'started') {
      this.#starting.get(report.id)?.(report.pid)
      this.#starting.delete(report.id)
      return
    }
    this.#running.delete(report.id)
    const resolve = this.#exits.get(report.id)
    this.#exits.delete(report.id)
    resolve?.({ code: report.code, signal: report.signal, reason: report.reason })
  }

  #send(request: KeeperRequest): void {
    if (!this.#keeper.connected) throw new Error(`the keeper of ${this.directory} is gone`)
    this.#keeper.send(request)
  }

  #waiting = 0

  /** Keeps the event loop alive while something is awaited. */
  async #busy<T>(promise: Promise<T>): Promise<T> {
    this.#waiting++
    this.#keeper.ref()
    this.#keeper.channel?.ref()
    try {
      return await promise
    } finally {
      this.#waiting--
      if (this.#waiting === 0) this.#idle()
    }
  }

  #idle(): void {
    this.#keeper.unref()
    this.#keeper.channel?.unref()
  }
}
