/**
 * HyperLogLog over 64-bit hashes (Flajolet et al. 2007) with the improved raw estimator of Ertl 2017, algorithm 6 (arXiv:1702.01284): no bias
 * correction tables, no switch between ranges. Standard error 1.04 / √(2^precision).
 */
export class HyperLogLog {
  readonly precision: number
  readonly #registers: Uint8Array
  /** Registers with each value, 0…q+1. */
  readonly #histogram: Uint32Array
  #estimate = 0

  /** @param precision 4…18; memory is 2^precision bytes */
  constructor(precision: number) {
    this.precision = precision
    this.#registers = new Uint8Array(2 ** precision)
    this.#histogram = new Uint32Array(64 - precision + 2)
    this.#histogram[0] = this.#registers.length
  }

  get bytes(): number {
    return this.#registers.byteLength + this.#histogram.byteLength
  }

  /** Distinct keys, estimated. */
  get estimate(): number {
    return this.#estimate
  }

  /** Adds a hash; true when the sketch changed. */
  add(high: number, low: number): boolean {
    const { precision } = this
    const rest = high << precision
    const rank = rest !== 0 ? Math.clz32(rest) + 1 : Math.min(Math.clz32(low), 32) + 33 - precision
    return this.#raise(high >>> (32 - precision), rank)
  }

  /** Takes over what another sketch of the same precision has seen. */
  merge(other: HyperLogLog): void {
    for (let index = 0; index < other.#registers.length; index++) {
      this.#raise(index, other.#registers[index] as number)
    }
  }

  #raise(index: number, rank: number): boolean {
    const before = this.#registers[index] as number
    if (rank <= before) return false
    this.#registers[index] = rank
    this.#histogram[before] = (this.#histogram[before] as number) - 1
    this.#histogram[rank] = (this.#histogram[rank] as number) + 1
    this.#estimate = this.#compute()
    return true
  }

  #compute(): number {
    const m = this.#registers.length
    const q = 64 - this.precision
    const histogram = this.#histogram
    let z = m * tau(1 - (histogram[q + 1] as number) / m)
    for (let k = q; k >= 1; k--) z = 0.5 * (z + (histogram[k] as number))
    z += m * sigma((histogram[0] as number) / m)
    return (m * m) / (2 * Math.LN2 * z)
  }
}

function sigma(start: number): number {
  if (start === 1) return Number.POSITIVE_INFINITY
  let x = start
  let y = 1
  let z = x
  for (;;) {
    x *= x
    const before = z
    z += x * y
    y += y
    if (z === before) return z
  }
}

function tau(start: number): number {
  if (start === 0 || start === 1) return 0
  let x = start
  let y = 1
  let z = 1 - x
  for (;;) {
    x = Math.sqrt(x)
    const before = z
    y *= 0.5
    z -= (1 - x) ** 2 * y
    if (z === before) return z / 3
  }
}

/** Least precision whose standard error is at most `error`, 0…1; within 4…18. */
export function precisionFor(error: number): number {
  const wanted = Math.ceil(2 * Math.log2(1.04 / error))
  return Math.min(18, Math.max(4, wanted))
}
