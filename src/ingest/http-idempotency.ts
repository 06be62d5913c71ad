import { createHash } from 'node:crypto'
import type { EpochMs } from '../core/time.ts'
import { keyLength } from './http-log-block.ts'

/** Keys are kept as hashes: clients choose their length, not we. */
export const hashKey = (key: string): Buffer =>
  createHash('sha256').update(key).digest().subarray(0, keyLength)

/**
 * The `Idempotency-Key`s of the last `keepMs`, at most `maxKeys` of them (then the oldest are forgotten early).
 * A key is about 100 bytes of memory.
 */
export class IdempotencyKeys {
  readonly #keepMs: number
  readonly #maxKeys: number
  /** Key → arrival, oldest first. */
  readonly #seen = new Map<string, EpochMs>()
  /** Times that a key was forgotten before its time. */
  forgottenEarly = 0

  constructor(keepMs: number, maxKeys: number) {
    this.#keepMs = keepMs
    this.#maxKeys = maxKeys
  }

  add(key: Buffer, at: EpochMs): void {
    const text = key.toString('latin1')
    this.#seen.delete(text)
    this.#seen.set(text, at)
    this.#forget(at)
  }

  has(key: Buffer, now: EpochMs): boolean {
    const at = this.#seen.get(key.toString('latin1'))
    return at !== undefined && this.isKept(at, now)
  }

  isKept(at: EpochMs, now: EpochMs): boolean {
    return now - at < this.#keepMs
  }

  get size(): number {
    return this.#seen.size
  }

  #forget(now: EpochMs): void {
    for (const [key, at] of this.#seen) {
      const expired = !this.isKept(at, now)
      if (!expired && this.#seen.size <= this.#maxKeys) return
      if (!expired) this.forgottenEarly += 1
      this.#seen.delete(key)
    }
  }
}
