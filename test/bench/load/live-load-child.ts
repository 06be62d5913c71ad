import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Counts } from './expected-counts.ts'
import type { LiveLoadOptions, Triggered } from './live-load.ts'
import type { LiveLoadReport, LiveLoadRequest } from './live-load-process.ts'

/** Live events from a process of its own. */
export class LiveLoadChild {
  /** Events sent, as of the last 50 ms. */
  events = 0
  /** As it was last set; 0 while it is unbounded. */
  perSecond = 0
  readonly #child: ChildProcess
  readonly #failed: Promise<never>
  #backlogWritten = () => {}
  #stopped: (counts: Counts) => void = () => {}

  constructor(options: LiveLoadOptions, triggered: Triggered = () => {}) {
    const program = fileURLToPath(new URL('./live-load-process.ts', import.meta.url))
    this.#child = fork(program, [JSON.stringify(options)], {
      execArgv: ['--import', import.meta.resolve('tsx')],
      serialization: 'advanced',
    })
    this.#failed = new Promise((_, reject) => {
      this.#child.once('exit', (code, signal) => {
        if (code !== 0) reject(new Error(`the load ended with ${code ?? signal}`))
      })
    })
    this.#failed.catch(() => {})
    this.#child.on('message', (report: LiveLoadReport) => {
      if (report.kind === 'triggered') triggered(report.windowStart, report.atMs)
      else if (report.kind === 'sent') this.events = report.events
      else if (report.kind === 'backlog-written') this.#backlogWritten()
      else {
        this.events = report.events
        this.#stopped(new Map(report.counts))
      }
    })
  }

  /** Events per second from now on. */
  setRate(eventsPerSecond: number): void {
    this.perSecond = Number.isFinite(eventsPerSecond) ? eventsPerSecond : 0
    this.#send({ kind: 'rate', eventsPerSecond })
  }

  /** Writes what would have come in the last seconds; resolves when the broker has it. */
  async writeBacklog(seconds: number, eventsPerSecond: number): Promise<void> {
    const written = new Promise<void>((resolve) => {
      this.#backlogWritten = resolve
    })
    this.#send({ kind: 'backlog', seconds, eventsPerSecond })
    await Promise.race([written, this.#failed])
  }

  /** Resolves when the broker has everything, to what must be counted of it. */
  async stop(): Promise<Counts> {
    const stopped = new Promise<Counts>((resolve) => {
      this.#stopped = resolve
    })
    this.#send({ kind: 'stop' })
    return await Promise.race([stopped, this.#failed])
  }

  /** Whatever it is doing. */
  terminate(): void {
    this.#child.kill('SIGKILL')
  }

  /** Rejects when the process has failed; else resolves to what the promise does. */
  async orFailure<T>(promise: Promise<T>): Promise<T> {
    return await Promise.race([promise, this.#failed])
  }

  #send(request: LiveLoadRequest): void {
    this.#child.send(request)
  }
}
