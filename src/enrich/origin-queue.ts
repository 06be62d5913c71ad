import { type BackoffPolicy, fullJitter } from '../core/backoff.ts'
import { asWardenError, type WardenError } from '../core/errors.ts'
import type { Clock } from '../core/telemetry.ts'
import { type DurationMs, durationMs } from '../core/time.ts'
import type { Answer, OutagePolicy } from './key-table.ts'
import type { Entry } from './origin.ts'
import { timed } from './timed.ts'

export interface OriginQueueParts {
  readonly timeoutMs: DurationMs
  readonly batchKeys: number
  readonly concurrency: number
  readonly onOutage: OutagePolicy
  readonly clock: Clock
  readonly random: () => number
  readonly fetch: (
    keys: readonly string[],
    signal: AbortSignal,
  ) => Promise<ReadonlyMap<string, Entry>>
  readonly onAnswer: (ms: number) => void
  readonly onFailure: (error: WardenError, keys: number) => void
}

type Answers = ReadonlyMap<string, Answer>

const retry: BackoffPolicy = { initialMs: durationMs(100), maxMs: durationMs(5_000) }

/**
 * Asks an origin: in batches, so many at once, each key once however many wait for it. An outage is waited for, batch by batch, or all
 * keys are away until it is time to ask again: not every new key waits for a timeout.
 */
export class OriginQueue {
  readonly #parts: OriginQueueParts
  /** Batches under way, by key. */
  readonly #underWay = new Map<string, Promise<Answers>>()
  readonly #waiting: (() => void)[] = []
  #running = 0
  /** Failures in a row, and until when nobody is asked where outages are not waited for. */
  #failures = 0
  #awayUntil = Number.NEGATIVE_INFINITY

  constructor(parts: OriginQueueParts) {
    this.#parts = parts
  }

  /** Rejects with the signal's reason, or with a WardenError that no waiting will cure. */
  async ask(keys: readonly string[], signal: AbortSignal): Promise<Answers> {
    const { batchKeys } = this.#parts
    const answers = new Map<string, Answer>()
    const batches = new Set<Promise<Answers>>()
    const fresh: string[] = []
    for (const key of keys) {
      const batch = this.#underWay.get(key)
      if (batch === undefined) fresh.push(key)
      else batches.add(batch)
    }
    for (let from = 0; from < fresh.length; from += batchKeys) {
      batches.add(this.#begin(fresh.slice(from, from + batchKeys), signal))
    }
    const wanted = new Set(keys)
    for (const batch of await settledAll(batches)) {
      for (const [key, answer] of batch) if (wanted.has(key)) answers.set(key, answer)
    }
    signal.throwIfAborted()
    // Whoever shared a batch with us may have been told to stop: then it is ours to ask.
    const lost = keys.filter((key) => !answers.has(key))
    if (lost.length > 0)
      for (const [key, one] of await this.ask(lost, signal)) answers.set(key, one)
    return answers
  }

  /** Asks once for each batch, and does not wait for an outage to end; false when a batch failed. */
  async refresh(keys: readonly string[], signal: AbortSignal): Promise<boolean> {
    const { batchKeys } = this.#parts
    for (let from = 0; from < keys.length; from += batchKeys) {
      const failure = await this.#try(keys.slice(from, from + batchKeys), signal)
      if (failure.kind !== 'answered') return false
    }
    return true
  }

  #begin(keys: readonly string[], signal: AbortSignal): Promise<Answers> {
    const batch = this.#run(keys, signal)
    for (const key of keys) this.#underWay.set(key, batch)
    const end = () => {
      for (const key of keys) this.#underWay.delete(key)
    }
    batch.then(end, end)
    return batch
  }

  async #run(keys: readonly string[], signal: AbortSignal): Promise<Answers> {
    const { clock, onOutage, random } = this.#parts
    for (let attempt = 0; ; attempt++) {
      if (onOutage === 'unknown' && clock.now() < this.#awayUntil) return allAway(keys)
      const outcome = await this.#try(keys, signal)
      if (outcome.kind === 'answered') return outcome.answers
      if (outcome.error.recovery === 'stop') throw outcome.error
      if (onOutage === 'unknown') return allAway(keys)
      await clock.sleep(fullJitter(retry, attempt, random()), signal)
    }
  }

  async #try(
    keys: readonly string[],
    signal: AbortSignal,
  ): Promise<
    | { readonly kind: 'answered'; readonly answers: Answers }
    | { readonly kind: 'failed'; readonly error: WardenError }
  > {
    const { clock, timeoutMs, fetch, onAnswer, onFailure, random } = this.#parts
    await this.#slot()
    const begun = clock.now()
    try {
      signal.throwIfAborted()
      const found = await timed(clock, timeoutMs, signal, (inTime) => fetch(keys, inTime))
      this.#failures = 0
      this.#awayUntil = Number.NEGATIVE_INFINITY
      onAnswer(clock.now() - begun)
      return { kind: 'answered', answers: answersOf(keys, found) }
    } catch (cause) {
      signal.throwIfAborted()
      const error = asWardenError(cause)
      onFailure(error, keys.length)
      const waitMs = fullJitter(retry, this.#failures++, 0.5 + random() / 2)
      this.#awayUntil = clock.now() + waitMs
      return { kind: 'failed', error }
    } finally {
      this.#running--
      this.#waiting.shift()?.()
    }
  }

  /** Until fewer than `concurrency` requests are under way. */
  async #slot(): Promise<void> {
    while (this.#running >= this.#parts.concurrency) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
    }
    this.#running++
  }
}

function answersOf(keys: readonly string[], found: ReadonlyMap<string, Entry>): Answers {
  return new Map(
    keys.map((key) => {
      const entry = found.get(key)
      return [key, entry === undefined ? { kind: 'missing' } : { kind: 'found', entry }]
    }),
  )
}

const allAway = (keys: readonly string[]): Answers =>
  new Map(keys.map((key) => [key, { kind: 'away' }]))

/** What was answered; a batch that failed for good fails all, one that was told to stop gives nothing. */
async function settledAll(batches: Iterable<Promise<Answers>>): Promise<Answers[]> {
  const outcomes = await Promise.allSettled(batches)
  return outcomes.flatMap((one) => {
    if (one.status === 'fulfilled') return [one.value]
    const error: unknown = one.reason
    if (asWardenError(error).code === 'enrich_refused') throw error
    return []
  })
}
