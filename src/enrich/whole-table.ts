import { asWardenError } from '../core/errors.ts'
import type { Telemetry } from '../core/telemetry.ts'
import type { DurationMs } from '../core/time.ts'
import type { Answer, KeyTable, OutagePolicy, TableHealth, Trouble } from './key-table.ts'
import type { Entry, WholeOrigin } from './origin.ts'
import { TableMetrics } from './table-metrics.ts'
import { timed } from './timed.ts'

export interface WholeTableOptions {
  readonly name: string
  /** Time between two looks at whether the origin has changed. */
  readonly refreshMs: DurationMs
  /** Longest wait for the origin. */
  readonly timeoutMs: DurationMs
  readonly onOutage: OutagePolicy
  /** More entries are refused: the content is taken for a mistake. */
  readonly maxEntries: number
}

/**
 * A table that is in memory as a whole. A new content replaces the old one at once; one that cannot be read leaves the old one in place,
 * and is tried again. loading → loaded; before the first content keys wait, or are away, as the policy says.
 */
export class WholeTable implements KeyTable {
  readonly name: string
  readonly #origin: WholeOrigin
  readonly #options: WholeTableOptions
  readonly #telemetry: Telemetry
  readonly #metrics: TableMetrics
  readonly #stop = new AbortController()
  #entries: ReadonlyMap<string, Entry> | undefined
  #version: string | undefined
  /** When the content was last known to be the origin's. */
  #knownAt = Number.NEGATIVE_INFINITY
  #trouble: Trouble | undefined
  #tried: Promise<void>
  #setTried: () => void = () => {}
  #loaded: Promise<void>
  #setLoaded: () => void = () => {}
  #running: Promise<void> | undefined

  constructor(origin: WholeOrigin, options: WholeTableOptions, telemetry: Telemetry) {
    this.name = options.name
    this.#origin = origin
    this.#options = options
    this.#telemetry = telemetry
    this.#metrics = new TableMetrics(telemetry.metrics, options.name)
    this.#tried = new Promise((resolve) => {
      this.#setTried = resolve
    })
    this.#loaded = new Promise((resolve) => {
      this.#setLoaded = resolve
    })
  }

  start(): void {
    this.#running ??= this.#run()
  }

  async lookup(keys: readonly string[], signal: AbortSignal): Promise<ReadonlyMap<string, Answer>> {
    if (this.#entries === undefined) {
      await orAborted(this.#tried, signal)
      // A content that is wrong from the start is for a person to see, not to be waited for.
      if (this.#entries === undefined && this.#trouble?.error.recovery === 'stop') {
        throw this.#trouble.error
      }
      if (this.#entries === undefined && this.#options.onOutage === 'wait') {
        await orAborted(this.#loaded, signal)
      }
    }
    const answers = new Map<string, Answer>()
    const entries = this.#entries
    let found = 0
    for (const key of keys) {
      const entry = entries?.get(key)
      if (entry !== undefined) found++
      const none: Answer = entries === undefined ? { kind: 'away' } : { kind: 'missing' }
      answers.set(key, entry === undefined ? none : { kind: 'found', entry })
    }
    this.#metrics.looked('memory', 'found', found)
    this.#metrics.looked(
      'memory',
      entries === undefined ? 'failed' : 'missing',
      keys.length - found,
    )
    return answers
  }

  health(): TableHealth {
    return {
      name: this.name,
      trouble: this.#trouble?.error.message,
      since: this.#trouble?.since,
      entries: this.#entries?.size ?? 0,
    }
  }

  update(): void {
    const age = this.#telemetry.clock.now() - this.#knownAt
    this.#metrics.update(this.#entries?.size ?? 0, age, this.#trouble === undefined)
  }

  async stop(): Promise<void> {
    this.#stop.abort(new Error('stopped'))
    await this.#running
    await this.#origin.close()
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop
    while (!signal.aborted) {
      await this.#refresh(signal)
      this.#setTried()
      this.update()
      await this.#telemetry.clock.sleep(this.#options.refreshMs, signal).catch(() => {})
    }
  }

  async #refresh(signal: AbortSignal): Promise<void> {
    const { clock, logger } = this.#telemetry
    const { name, timeoutMs, maxEntries } = this.#options
    try {
      const entries = await timed(clock, timeoutMs, signal, async (inTime) => {
        const version = await this.#origin.version(inTime)
        if (version === this.#version) return undefined
        const read = await this.#origin.all(maxEntries, inTime)
        this.#version = version
        return read
      })
      this.#knownAt = clock.now()
      if (this.#trouble !== undefined) logger.info({ enrich: name }, 'the table can be read again')
      this.#trouble = undefined
      if (entries === undefined) return
      this.#entries = entries
      this.#setLoaded()
      this.#metrics.refreshed('read')
      logger.info({ enrich: name, entries: entries.size }, 'table read')
    } catch (cause) {
      if (signal.aborted) return
      const error = asWardenError(cause)
      this.#metrics.refreshed('failed')
      // Said once for each new mistake.
      if (this.#trouble?.error.message !== error.message) {
        const kept = this.#entries === undefined ? 'there is none yet' : 'the one before stays'
        logger.error({ err: error, enrich: name }, `the table cannot be read; ${kept}`)
      }
      this.#trouble = { error, since: this.#trouble?.since ?? clock.now() }
    }
  }
}

function orAborted(promise: Promise<void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason)
    if (signal.aborted) return onAbort()
    signal.addEventListener('abort', onAbort, { once: true })
    void promise.then(() => {
      signal.removeEventListener('abort', onAbort)
      resolve()
    })
  })
}
