/** What a name is for, in OpenTSDB's words. */
export const nameKinds = ['metrics', 'tagk', 'tagv'] as const

export type NameKind = (typeof nameKinds)[number]

/** Names of one kind ↔ ids from 1 on, in order of first sight. Grows only. */
export class NameDictionary {
  readonly #ids = new Map<string, number>()
  readonly #names: string[] = []
  /** Ids that are not known to be on disk. */
  readonly unsaved = new Set<number>()
  /** All names in order, for `startingWith`; undefined when names came since. */
  #ordered: string[] | undefined

  get size(): number {
    return this.#names.length
  }

  /** A name as it was read from disk. Ids may have gaps: an id whose write failed is not used again. */
  restore(id: number, name: string): void {
    this.#ids.set(name, id)
    this.#names[id - 1] = name
    this.#ordered = undefined
  }

  idOf(name: string): number | undefined {
    return this.#ids.get(name)
  }

  /** Id of the name, a new one when it was never seen. */
  assign(name: string): number {
    const known = this.#ids.get(name)
    if (known !== undefined) return known
    const id = this.#names.length + 1
    this.restore(id, name)
    this.unsaved.add(id)
    return id
  }

  nameOf(id: number): string {
    const name = this.#names[id - 1]
    if (name === undefined) throw new RangeError(`unknown name ${id}`)
    return name
  }

  /** At most `max` names that begin with `prefix`, in order. */
  startingWith(prefix: string, max: number): string[] {
    this.#ordered ??= [...this.#ids.keys()].sort()
    const ordered = this.#ordered
    let low = 0
    let high = ordered.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((ordered[middle] ?? '') < prefix) low = middle + 1
      else high = middle
    }
    const found: string[] = []
    for (let at = low; at < ordered.length && found.length < max; at++) {
      const name = ordered[at] ?? ''
      if (!name.startsWith(prefix)) break
      found.push(name)
    }
    return found
  }
}
