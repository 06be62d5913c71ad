/**
 * Ids of one metric's series: tuple of dimension values ↔ small integer, in order of first sight.
 * Grows only; ids are part of the checkpoint.
 */
export class SeriesDictionary {
  readonly #ids = new Map<string, number>()
  readonly #tuples: (readonly string[])[] = []
  readonly #max: number

  constructor(max: number) {
    this.#max = max
  }

  get size(): number {
    return this.#tuples.length
  }

  /** Id of the tuple, new when it was never seen; -1 when the dictionary is full. */
  idOf(values: readonly string[]): number {
    const key = seriesKey(values)
    const known = this.#ids.get(key)
    if (known !== undefined) return known
    return this.#tuples.length >= this.#max ? -1 : this.#add(key, values)
  }

  /** Id of a tuple that somebody else took in: the bound was theirs to keep. */
  learn(values: readonly string[]): number {
    const key = seriesKey(values)
    return this.#ids.get(key) ?? this.#add(key, values)
  }

  /** Puts back a tuple of the checkpoint, in the order of the ids; the bound may have been lower or higher then. */
  restore(values: readonly string[]): void {
    this.#add(seriesKey(values), values)
  }

  #add(key: string, values: readonly string[]): number {
    const id = this.#tuples.length
    this.#ids.set(key, id)
    this.#tuples.push(values.slice())
    return id
  }

  /** Dimension values of a known id, in the plan's order. */
  valuesOf(id: number): readonly string[] {
    const values = this.#tuples[id]
    if (values === undefined) throw new RangeError(`unknown series ${id}`)
    return values
  }

  /** What the hash of a user within the series is seeded with. */
  hashedValuesOf(id: number): readonly string[] {
    return this.valuesOf(id)
  }
}

/** One text per tuple, unambiguous whatever the values hold. */
export function seriesKey(values: readonly string[]): string {
  let key = ''
  for (const value of values) key += `${value.length}:${value}`
  return key
}
