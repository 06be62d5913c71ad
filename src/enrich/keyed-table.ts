import { asWardenError, type WardenError } from '../core/errors.ts'
import type { Telemetry } from '../core/telemetry.ts'
import type { DurationMs } from '../core/time.ts'
import type { Answer, KeyTable, OutagePolicy, TableHealth, Trouble } from './key-table.ts'
import type { Entry, EntryCache, Origin } from './origin.ts'
import { OriginQueue } from './origin-queue.ts'
import { TableMetrics } from './table-metrics.ts'
import { timed } from './timed.ts'

/** What is remembered of a key; undefined as the entry: it has none. */
export interface Remembered {
  readonly entry: Entry | undefined
  /** When that was learnt from the origin. */
  readonly at: number
  /** Processing time of the last look-up. */
  usedAt: number
}

/** The keys used last, bounded; `lru-cache` in production. */
export interface Memory {
  readonly size: number
  get(key: string): Remembered | undefined
  set(key: string, value: Remembered): unknown
  entries(): Iterable<[string, Remembered]>
}

export interface KeyedTableOptions {
  readonly name: string
  /** Time between two refreshes of the keys that were used since. */
  readonly refreshMs: DurationMs
  /** What is older is not used any more. */
  readonly expireMs: DurationMs
  /** The same for keys without an entry. */
  readonly missingForMs: DurationMs
  /** Longest wait for one request. */
  readonly timeoutMs: DurationMs
  /** Keys of one request. */
  readonly batchKeys: number
  /** Requests at once. */
  readonly concurrency: number
  readonly onOutage: OutagePolicy
  /** Entries read before anybody asks; 0: none. */
  readonly preload: number
}

export interface KeyedTableParts {
  readonly origin: Origin
  /** The level between; undefined: none. */
  readonly cache: EntryCache | undefined
  readonly memory: Memory
  readonly random: () => number
}

/**
 * A table of which this process knows the keys used last: memory → cache → origin. Keys that several ask for at once are asked once, in
 * batches. What was used is refreshed in the background, so that only a new key waits.
 */
export class KeyedTable implements KeyTable {
  readonly name: string
  readonly #parts: KeyedTableParts
  readonly #options: KeyedTableOptions
  readonly #telemetry: Telemetry
  readonly #metrics: TableMetrics
  readonly #queue: OriginQueue
  readonly #stop = new AbortController()
  #trouble: Trouble | undefined
  #answeredAt = Number.NEGATIVE_INFINITY
  #running: Promise<void> | undefined
  #preloaded: Promise<void> = Promise.resolve()

  constructor(parts: KeyedTableParts, options: KeyedTableOptions, telemetry: Telemetry) {
    this.name = options.name
    this.#parts = parts
    this.#options = options
    this.#telemetry = telemetry
    this.#metrics = new TableMetrics(telemetry.metrics, options.name)
    this.#queue = new OriginQueue({
      ...options,
      clock: telemetry.clock,
      random: parts.random,
      fetch: (keys, signal) => this.#fetch(keys, signal),
      onAnswer: (ms) => this.#answered(ms),
      onFailure: (error, keys) => this.#failed(error, keys),
    })
  }

  start(): void {
    if (this.#running !== undefined) return
    this.#preloaded = this.#preload()
    this.#running = this.#run()
  }

  async lookup(keys: readonly string[], signal: AbortSignal): Promise<ReadonlyMap<string, Answer>> {
    await this.#preloaded
    const answers = new Map<string, Answer>()
    const asked = this.#fromMemory(keys, answers)
    if (asked.length === 0) return answers
    for (const [key, entry] of await this.#fromCache(asked, signal)) {
      this.#remember(key, entry)
      answers.set(key, { kind: 'found', entry })
    }
    const rest = asked.filter((key) => !answers.has(key))
    for (const [key, answer] of await this.#queue.ask(rest, signal)) answers.set(key, answer)
    return answers
  }

  health(): TableHealth {
    return {
      name: this.name,
      trouble: this.#trouble?.error.message,
      since: this.#trouble?.since,
      entries: this.#parts.memory.size,
    }
  }

  update(): void {
    const age = this.#telemetry.clock.now() - this.#answeredAt
    this.#metrics.update(this.#parts.memory.size, age, this.#trouble === undefined)
  }

  async stop(): Promise<void> {
    this.#stop.abort(new Error('stopped'))
    await this.#preloaded
    await this.#running
    await Promise.all([this.#parts.origin.close(), this.#parts.cache?.close()])
  }

  /** Answers what is in memory and young enough; returns the others. */
  #fromMemory(keys: readonly string[], answers: Map<string, Answer>): string[] {
    const { expireMs, missingForMs } = this.#options
    const now = this.#telemetry.clock.now()
    const asked: string[] = []
    let found = 0
    for (const key of keys) {
      const known = this.#parts.memory.get(key)
      const lives = known?.entry === undefined ? missingForMs : expireMs
      if (known === undefined || now - known.at >= lives) {
        asked.push(key)
        continue
      }
      known.usedAt = now
      if (known.entry === undefined) answers.set(key, { kind: 'missing' })
      else {
        found++
        answers.set(key, { kind: 'found', entry: known.entry })
      }
    }
    this.#metrics.looked('memory', 'found', found)
    this.#metrics.looked('memory', 'missing', keys.length - found)
    return asked
  }

  async #fromCache(
    keys: readonly string[],
    signal: AbortSignal,
  ): Promise<ReadonlyMap<string, Entry>> {
    const { cache } = this.#parts
    if (cache === undefined) return new Map()
    const { clock } = this.#telemetry
    const begun = clock.now()
    try {
      const found = await timed(clock, this.#options.timeoutMs, signal, (inTime) =>
        cache.get(keys, inTime),
      )
      this.#metrics.asked('cache', clock.now() - begun)
      this.#metrics.looked('cache', 'found', found.size)
      this.#metrics.looked('cache', 'missing', keys.length - found.size)
      return found
    } catch {
      signal.throwIfAborted()
      this.#metrics.looked('cache', 'failed', keys.length)
      return new Map()
    }
  }

  /** Asks the origin, and tells the levels above. */
  async #fetch(keys: readonly string[], signal: AbortSignal): Promise<ReadonlyMap<string, Entry>> {
    const found = await this.#parts.origin.lookup(keys, signal)
    for (const key of keys) this.#remember(key, found.get(key))
    this.#metrics.looked('origin', 'found', found.size)
    this.#metrics.looked('origin', 'missing', keys.length - found.size)
    this.#tellCache(found)
    return found
  }

  /** Nobody waits for it. */
  #tellCache(found: ReadonlyMap<string, Entry>): void {
    const { cache } = this.#parts
    if (cache === undefined || found.size === 0) return
    const { timeoutMs, expireMs } = this.#options
    const { clock } = this.#telemetry
    timed(clock, timeoutMs, this.#stop.signal, (inTime) =>
      cache.set(found, expireMs, inTime),
    ).catch(() => this.#metrics.looked('cache', 'failed', found.size))
  }

  #remember(key: string, entry: Entry | undefined): void {
    const now = this.#telemetry.clock.now()
    const usedAt = this.#parts.memory.get(key)?.usedAt ?? now
    this.#parts.memory.set(key, { entry, at: now, usedAt })
  }

  #answered(ms: number): void {
    const { clock, logger } = this.#telemetry
    this.#metrics.asked('origin', ms)
    this.#answeredAt = clock.now()
    if (this.#trouble === undefined) return
    this.#trouble = undefined
    logger.info({ enrich: this.name }, 'the origin of the table answers again')
    this.update()
  }

  #failed(error: WardenError, keys: number): void {
    const { clock, logger } = this.#telemetry
    this.#metrics.looked('origin', 'failed', keys)
    if (this.#trouble === undefined) {
      const what =
        this.#options.onOutage === 'wait' ? 'new keys wait for it' : 'new keys are unknown'
      logger.warn({ err: error, enrich: this.name }, `the origin of the table is away; ${what}`)
    }
    this.#trouble = { error, since: this.#trouble?.since ?? clock.now() }
    this.update()
  }

  /** What cannot be read ahead is asked for when it is needed. */
  async #preload(): Promise<void> {
    const { origin } = this.#parts
    const { preload, timeoutMs } = this.#options
    if (preload === 0 || origin.all === undefined) return
    const { clock, logger } = this.#telemetry
    const begun = clock.now()
    try {
      // Everything takes longer than a batch.
      const entries = await timed(clock, timeoutMs * 10, this.#stop.signal, (inTime) =>
        Promise.resolve(origin.all?.(preload, inTime) ?? new Map<string, Entry>()),
      )
      for (const [key, entry] of entries) this.#remember(key, entry)
      this.#answered(clock.now() - begun)
      this.#metrics.refreshed('read')
      logger.info({ enrich: this.name, entries: entries.size }, 'table read')
    } catch (cause) {
      if (this.#stop.signal.aborted) return
      this.#metrics.refreshed('failed')
      this.#failed(asWardenError(cause), 0)
    }
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop
    const { clock } = this.#telemetry
    await this.#preloaded
    this.update()
    for (;;) {
      const from = clock.now()
      await clock.sleep(this.#options.refreshMs, signal).catch(() => {})
      if (signal.aborted) return
      await this.#refresh(from)
      this.update()
    }
  }

  /** Looks up anew what was used since; while it is under way, and when it fails, the old values hold. */
  async #refresh(since: number): Promise<void> {
    const keys: string[] = []
    for (const [key, known] of this.#parts.memory.entries()) {
      if (known.usedAt >= since && known.at <= since) keys.push(key)
    }
    if (keys.length === 0) return
    const isRead = await this.#queue.refresh(keys, this.#stop.signal)
    this.#metrics.refreshed(isRead ? 'read' : 'failed')
  }
}
