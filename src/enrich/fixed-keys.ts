/** A key with the value that it has in a slice, by index of the dimension. */
export type FixedKey = readonly [dimension: number, key: string, value: string]

/**
 * The values that windows of one metric have seen: the first value that a slice was given for a key stays, whatever the table says later
 * and whichever lane asks, so that a window's series is never in two halves, and a replay finds the value it had. Part of the checkpoint;
 * a slice's values go when the slice goes.
 */
export class FixedKeys {
  readonly #slices = new Map<number, Map<string, string>[]>()
  #fresh = new Map<number, FixedKey[]>()
  #gone: number[] = []

  /** Slices with values. */
  get slices(): Iterable<number> {
    return this.#slices.keys()
  }

  valueOf(slice: number, dimension: number, key: string): string | undefined {
    return this.#slices.get(slice)?.[dimension]?.get(key)
  }

  /** Gives the key this value unless it has one; returns the one that holds. */
  fix(slice: number, dimension: number, key: string, value: string): string {
    const known = this.valueOf(slice, dimension, key)
    if (known !== undefined) return known
    this.#put(slice, dimension, key, value)
    const fresh = this.#fresh.get(slice)
    if (fresh === undefined) this.#fresh.set(slice, [[dimension, key, value]])
    else fresh.push([dimension, key, value])
    return value
  }

  /** Puts back what `takeFresh` gave. */
  restore(slice: number, fixed: readonly FixedKey[]): void {
    for (const [dimension, key, value] of fixed) this.#put(slice, dimension, key, value)
  }

  /** No row of the slice will be counted any more. */
  drop(slice: number): void {
    if (!this.#slices.delete(slice)) return
    this.#fresh.delete(slice)
    this.#gone.push(slice)
  }

  /** Since the last call, by slice. */
  takeFresh(): ReadonlyMap<number, readonly FixedKey[]> {
    const fresh = this.#fresh
    this.#fresh = new Map()
    return fresh
  }

  /** Slices that were dropped since the last call. */
  takeGone(): readonly number[] {
    const gone = this.#gone
    this.#gone = []
    return gone
  }

  #put(slice: number, dimension: number, key: string, value: string): void {
    const dimensions = this.#slices.get(slice) ?? []
    this.#slices.set(slice, dimensions)
    const values = dimensions[dimension] ?? new Map<string, string>()
    dimensions[dimension] = values
    values.set(key, value)
  }
}
