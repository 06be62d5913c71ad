/** Lets one line per kind through in `everyMs`, and says how many were held back since. */
export class LogLimit {
  readonly #everyMs: number
  readonly #kinds = new Map<string, { nextAt: number; suppressed: number }>()

  constructor(everyMs: number) {
    this.#everyMs = everyMs
  }

  /** Number of lines of that kind held back since the last one let through; undefined when this one is held back too. */
  pass(kind: string, now: number): number | undefined {
    const known = this.#kinds.get(kind)
    if (known !== undefined && now < known.nextAt) {
      known.suppressed++
      return undefined
    }
    this.#kinds.set(kind, { nextAt: now + this.#everyMs, suppressed: 0 })
    return known?.suppressed ?? 0
  }
}
