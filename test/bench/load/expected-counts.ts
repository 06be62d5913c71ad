import type { LoadSpec } from './load-spec.ts'
import { channels, dimensionsOf, hourMs, type LoanEvent, startMs } from './loan-events.ts'

/**
 * What was counted, by peer or by us: `loan <hour> <bizLine> <product> <what>` and `channel <hour> <channel> <outcome>`, the hour
 * as epoch ms. What: `users` (each once), `success` (users whose best outcome is one), `events`, `rawSuccess`.
 */
export type Counts = ReadonlyMap<string, number>

export const loanFigures = ['users', 'success', 'events', 'rawSuccess'] as const

/** Counts the events while they are made, without strings: a byte for each user and live hour. */
export class ExpectedCounts {
  readonly #spec: LoadSpec
  readonly #loans: Float64Array
  readonly #channels: Float64Array
  /** Outcome counted so far for each user: 0 none, 1 fail, 2 success. Disorder reaches into one hour before. */
  readonly #kept: [Uint8Array, Uint8Array]
  #newestHour = 0

  constructor(spec: LoadSpec) {
    this.#spec = spec
    // One hour more for the closing records.
    const hours = spec.hours + 1
    this.#loans = new Float64Array(hours * spec.series * loanFigures.length)
    this.#channels = new Float64Array(hours * channels.length * 2)
    this.#kept = [new Uint8Array(spec.users), new Uint8Array(spec.users)]
  }

  add(event: LoanEvent): void {
    const hour = Math.floor((event.eventTime - startMs) / hourMs)
    while (hour > this.#newestHour) {
      this.#newestHour++
      this.#kept[this.#newestHour & 1]?.fill(0)
    }
    const success = event.isSuccess ? 1 : 0
    const at = (hour * this.#spec.series + event.series) * loanFigures.length
    const kept = this.#kept[hour & 1] as Uint8Array
    const before = kept[event.user] ?? 0
    if (before === 0) this.#raise(at)
    if (success === 1 && before < 2) this.#raise(at + 1)
    if (before < 1 + success) kept[event.user] = 1 + success
    this.#raise(at + 2)
    if (success === 1) this.#raise(at + 3)
    const channel = (hour * channels.length + event.channel) * 2 + success
    this.#channels[channel] = (this.#channels[channel] ?? 0) + 1
  }

  #raise(at: number): void {
    this.#loans[at] = (this.#loans[at] ?? 0) + 1
  }

  /** Those of the hours that close, without the series that had no event. */
  counts(): Map<string, number> {
    const counts = new Map<string, number>()
    const { hours, series } = this.#spec
    for (let hour = 0; hour < hours; hour++) {
      const time = startMs + hour * hourMs
      for (let one = 0; one < series; one++) {
        const at = (hour * series + one) * loanFigures.length
        if (this.#loans[at] === 0) continue
        const name = `loan ${time} ${dimensionsOf(this.#spec, one).join(' ')}`
        loanFigures.forEach((figure, i) => {
          counts.set(`${name} ${figure}`, this.#loans[at + i] ?? 0)
        })
      }
      channels.forEach((channel, i) => {
        for (const [success, outcome] of ['fail', 'success'].entries()) {
          const value = this.#channels[(hour * channels.length + i) * 2 + success] ?? 0
          if (value > 0) counts.set(`channel ${time} ${channel} ${outcome}`, value)
        }
      })
    }
    return counts
  }
}

/** Those of the metric with users. */
export function onlyLoans(counts: Counts): Counts {
  return new Map([...counts].filter(([key]) => key.startsWith('loan ')))
}

/** First differences, said; empty when all is equal. What is counted after the last closed hour is nobody's business. */
export function differences(expected: Counts, found: Counts, endMs: number): string[] {
  const wrong: string[] = []
  for (const [key, value] of expected) {
    if (found.get(key) !== value) wrong.push(`${key}: ${found.get(key)}, not ${value}`)
  }
  for (const [key, value] of found) {
    if (expected.has(key) || value === 0 || Number(key.split(' ')[1]) >= endMs) continue
    wrong.push(`${key}: ${value}, not there`)
  }
  return wrong
}
