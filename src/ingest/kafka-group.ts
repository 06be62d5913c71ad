import { fullJitter } from '../core/backoff.ts'
import type { GroupOffset } from './kafka-network.ts'
import { type KafkaReading, retryPolicy } from './kafka-reading.ts'

/** A new cluster makes its offsets topic at the first commit, which takes seconds; a later commit ends the attempts of an earlier one. */
const commitAttempts = 8

/** Commits positions to a consumer group that Warden is no member of, for others to see the lag. Never rejects. */
export class KafkaGroupOffsets {
  readonly #reading: KafkaReading
  readonly #group: string
  readonly #abort = new AbortController()
  #next: readonly GroupOffset[] | undefined
  #running: Promise<void> | undefined
  #isBusy = false

  constructor(reading: KafkaReading, group: string) {
    this.#reading = reading
    this.#group = group
  }

  /** Of several calls while one is under way only the last counts. */
  async commit(offsets: readonly GroupOffset[]): Promise<void> {
    this.#next = offsets
    this.#running ??= this.#drain().finally(() => {
      this.#running = undefined
    })
    await this.#running
  }

  close(): void {
    this.#next = undefined
    this.#abort.abort()
  }

  async #drain(): Promise<void> {
    while (this.#next !== undefined) {
      const offsets = this.#next
      this.#next = undefined
      await this.#commitOne(offsets)
    }
  }

  async #commitOne(offsets: readonly GroupOffset[]): Promise<void> {
    const { network, logger, meters, clock, random } = this.#reading
    const { signal } = this.#abort
    let error = ''
    for (let attempt = 0; attempt < commitAttempts && !signal.aborted; attempt++) {
      try {
        const outcome = await network.commit(this.#group, offsets)
        if (outcome.kind === 'committed') {
          this.#isBusy = false
          return
        }
        if (outcome.kind === 'busy') return this.#busy()
        error = outcome.error
      } catch (cause) {
        error = cause instanceof Error ? cause.message : String(cause)
      }
      if (this.#next !== undefined) return
      await clock.sleep(fullJitter(retryPolicy, attempt, random()), signal).catch(() => {})
    }
    if (signal.aborted) return
    meters.commitFailed()
    logger.warn({ group: this.#group, error }, 'group offsets were not committed')
  }

  #busy(): void {
    this.#reading.meters.commitFailed()
    if (this.#isBusy) return
    this.#isBusy = true
    this.#reading.logger.warn(
      { group: this.#group },
      'the group has members of its own, so Warden commits no offsets to it: give Warden a group that nobody joins',
    )
  }
}
