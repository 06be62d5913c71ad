import { type BackoffPolicy, fullJitter } from '../../core/backoff.ts'

export interface ReceiverCircuitOptions {
  readonly backoff: BackoffPolicy
  /** Failures in a row after which a receiver is given up for now: it is tried with single probes only. */
  readonly failuresToOpen: number
}

export const defaultReceiverCircuit: ReceiverCircuitOptions = {
  backoff: { initialMs: 1_000, maxMs: 300_000 } as BackoffPolicy,
  failuresToOpen: 5,
}

export type ReceiverState = 'ok' | 'retrying' | 'open' | 'blocked'

/** Waits at least this share of the bound while open: a probe is no attempt in a hurry. */
const openShare = 0.5

/**
 * When a receiver may be tried again. Each receiver has its own, so that one that is away delays no other. Pure.
 * ok → retrying → open → ok; blocked (set up wrongly) → ok.
 */
export class ReceiverCircuit {
  readonly #options: ReceiverCircuitOptions
  readonly #random: () => number
  #failures = 0
  #notBefore = Number.NEGATIVE_INFINITY
  #state: ReceiverState = 'ok'

  /** @param random uniform in [0, 1) */
  constructor(options: ReceiverCircuitOptions, random: () => number) {
    this.#options = options
    this.#random = random
  }

  get state(): ReceiverState {
    return this.#state
  }

  /** Nothing is sent before it. */
  get notBefore(): number {
    return this.#notBefore
  }

  succeeded(): void {
    this.#failures = 0
    this.#state = 'ok'
    this.#notBefore = Number.NEGATIVE_INFINITY
  }

  /** @param waitMs least wait that the receiver asked for */
  failed(now: number, waitMs: number): void {
    const { backoff, failuresToOpen } = this.#options
    this.#failures++
    this.#state = this.#failures >= failuresToOpen ? 'open' : 'retrying'
    const random = this.#random()
    const share = this.#state === 'open' ? openShare + random * (1 - openShare) : random
    const wait = fullJitter(backoff, this.#failures - 1, share)
    this.#notBefore = now + Math.max(1, waitMs, wait)
  }

  /** Waiting will not cure it: tried again once in a while, since people do. */
  blocked(now: number): void {
    this.#failures++
    this.#state = 'blocked'
    this.#notBefore = now + this.#options.backoff.maxMs
  }
}
