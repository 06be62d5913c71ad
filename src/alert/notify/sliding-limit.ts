/** So many messages in a span. */
export interface RateBound {
  readonly messages: number
  readonly perMs: number
}

/**
 * The rate of one bot, shared by all receivers that send through it: in every span, wherever it begins, at most so many messages arrive.
 * A bucket that is refilled lets nearly twice as many through in a span that begins with it full, and Feishu's own spans are not known.
 * A message arrived some time between its sending and its answer; counting from the answer makes the bound hold at the other end. Pure.
 */
export class SlidingLimit {
  readonly #bounds: readonly RateBound[]
  readonly #longest: number
  /** When the answer to each message came; infinite while it is on its way. In order of sending. */
  readonly #answers: { at: number }[] = []

  constructor(bounds: readonly RateBound[]) {
    this.#bounds = bounds
    this.#longest = Math.max(0, ...bounds.map(({ messages }) => messages))
  }

  /** Messages that may be sent at once now; infinite without bounds. */
  room(now: number): number {
    return Math.min(
      Number.POSITIVE_INFINITY,
      ...this.#bounds.map(({ messages, perMs }) => {
        const used = this.#answers.filter(({ at }) => at > now - perMs).length
        return Math.max(0, messages - used)
      }),
    )
  }

  /** The next message may go at this time; infinite while only an answer can make room. */
  freeAt(): number {
    return Math.max(
      Number.NEGATIVE_INFINITY,
      ...this.#bounds.map(({ messages, perMs }) => {
        const sorted = this.#answers.map(({ at }) => at).sort((a, b) => b - a)
        return (sorted[messages - 1] ?? Number.NEGATIVE_INFINITY) + perMs
      }),
    )
  }

  /** A message leaves; call what is returned when its answer is there, or will never be. */
  start(): (now: number) => void {
    const answer = { at: Number.POSITIVE_INFINITY }
    this.#answers.push(answer)
    if (this.#answers.length > this.#longest * 2) this.#forget()
    return (now) => {
      answer.at = now
    }
  }

  /** Keeps the latest answers only: older ones bind nothing. */
  #forget(): void {
    const kept = new Set([...this.#answers].sort((a, b) => b.at - a.at).slice(0, this.#longest))
    this.#answers.splice(0, this.#answers.length, ...this.#answers.filter((one) => kept.has(one)))
  }
}
