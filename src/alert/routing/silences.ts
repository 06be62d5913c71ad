import type { SilencePlan } from '../../core/alert-plan.ts'
import type { StateOperation, StateStore } from '../../core/state-store.ts'
import type { EpochMs } from '../../core/time.ts'
import { decode, put } from '../state-json.ts'
import { type LabelSet, matches } from './matchers.ts'

const prefix = 'alert/silence/'

/** Silences of the file, and those that people made: these are kept in the state. */
export class Silences {
  #fromFile: readonly SilencePlan[] = []
  readonly #made = new Map<string, SilencePlan>()
  readonly #changed = new Set<string>()

  restore(store: StateStore): void {
    for (const [key, value] of store.range(prefix, `${prefix}~`)) {
      const silence = decode<SilencePlan>(value)
      this.#made.set(key.slice(prefix.length), { ...silence, from: silence.from })
    }
  }

  setFile(silences: readonly SilencePlan[]): void {
    this.#fromFile = silences
  }

  /** Adds one, or replaces that of the same id. @throws RangeError without matchers, owner, reason or a later end */
  add(silence: SilencePlan): void {
    if (silence.match.length === 0) throw new RangeError('a silence names at least one label')
    if (silence.owner === '' || silence.reason === '') {
      throw new RangeError('a silence has an owner and a reason')
    }
    if (!Number.isFinite(silence.until) || silence.until <= silence.from) {
      throw new RangeError('a silence ends, and after it begins')
    }
    if (!/^[A-Za-z0-9._-]{1,100}$/.test(silence.id)) throw new RangeError('the id is not legal')
    this.#made.set(silence.id, silence)
    this.#changed.add(silence.id)
  }

  /** Ends one that people made; false when there is no such one. */
  expire(id: string, now: EpochMs): boolean {
    const silence = this.#made.get(id)
    if (silence === undefined || silence.until <= now) return false
    this.#made.set(id, { ...silence, until: now })
    this.#changed.add(id)
    return true
  }

  /** Those that have not ended. */
  list(now: EpochMs): readonly SilencePlan[] {
    return [...this.#fromFile, ...this.#made.values()].filter(({ until }) => until > now)
  }

  /** The silence that holds for these labels now. */
  silencing(labels: LabelSet, now: EpochMs): SilencePlan | undefined {
    for (const one of this.#fromFile) if (holds(one, labels, now)) return one
    for (const one of this.#made.values()) if (holds(one, labels, now)) return one
    return undefined
  }

  /** When one begins or ends next, after `now`. */
  nextChange(now: EpochMs): number {
    let next = Number.POSITIVE_INFINITY
    for (const { from, until } of [...this.#fromFile, ...this.#made.values()]) {
      if (from > now) next = Math.min(next, from)
      else if (until > now) next = Math.min(next, until)
    }
    return next
  }

  /** What changed since the last call; ended ones go. */
  takeChanges(now: EpochMs): StateOperation[] {
    const operations: StateOperation[] = []
    for (const id of this.#changed) {
      const silence = this.#made.get(id)
      if (silence !== undefined) operations.push(put(prefix + id, silence))
    }
    this.#changed.clear()
    for (const [id, { until }] of this.#made) {
      if (until > now) continue
      this.#made.delete(id)
      operations.push({ kind: 'remove', key: prefix + id })
    }
    return operations
  }
}

const holds = (one: SilencePlan, labels: LabelSet, now: EpochMs): boolean =>
  one.from <= now && now < one.until && matches(one.match, labels)
