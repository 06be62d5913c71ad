import type { WardenError } from '../core/errors.ts'
import type { Entry } from './origin.ts'

/** What is known of a key. */
export type Answer =
  | { readonly kind: 'found'; readonly entry: Entry }
  | { readonly kind: 'missing' }
  /** Nobody could say, and it was not waited for. */
  | { readonly kind: 'away' }

/** What is done with a key that nobody can be asked about: wait, and read no more, or call it unknown. */
export type OutagePolicy = 'wait' | 'unknown'

export interface TableHealth {
  readonly name: string
  /** Why the origin cannot be asked, or its content not be read; undefined: all is well. */
  readonly trouble: string | undefined
  /** Since when, epoch ms. */
  readonly since: number | undefined
  /** Entries held in memory. */
  readonly entries: number
}

/** A table as those see it who look something up. */
export interface KeyTable {
  readonly name: string
  /** Begins to load and to refresh; what is looked up before that is done waits for it. */
  start(): void
  /**
   * An answer for each of the keys, which are distinct. Waits as the table's policy says; rejects with the signal's reason, or with a
   * WardenError that no waiting will cure.
   */
  lookup(keys: readonly string[], signal: AbortSignal): Promise<ReadonlyMap<string, Answer>>
  health(): TableHealth
  /** Gauges of what it holds. */
  update(): void
  stop(): Promise<void>
}

export interface Trouble {
  readonly error: WardenError
  readonly since: number
}
