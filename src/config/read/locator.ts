import type { ConfigNode, Entry, MapNode } from './document.ts'
import { join } from './paths.ts'
import type { Problems } from './problems.ts'

/** Names a place in a config: keys and list indices from the root. */
export type Place = readonly (string | number)[]

/** Reports what is wrong with a place, at its position in the file. */
export class Locator {
  readonly #root: ConfigNode
  readonly #problems: Problems

  constructor(root: ConfigNode, problems: Problems) {
    this.#root = root
    this.#problems = problems
  }

  /** Is there such a key or item in the file itself (not by default)? */
  has(place: Place): boolean {
    return this.#find(place).depth === place.length
  }

  /** Keys of the section at `place`, in the order of the file; none when it is no section. */
  keysAt(place: Place): readonly string[] {
    const { node, depth } = this.#find(place)
    return depth === place.length && node.kind === 'map' ? node.entries.map((one) => one.key) : []
  }

  /** Reports at the value, or at the nearest section around it that stands in the file. */
  value(place: Place, what: string, right: string): void {
    const { node, keyAt, depth } = this.#find(place)
    const at = depth === place.length && node.at >= 0 ? node.at : keyAt
    this.#problems.add(at, pathOf(place), what, right)
  }

  /** Reports at the key, or at the nearest section around it that stands in the file. */
  key(place: Place, what: string, right: string): void {
    this.#problems.add(this.#find(place).keyAt, pathOf(place), what, right)
  }

  /** As far down as the file goes. */
  #find(place: Place): { node: ConfigNode; keyAt: number; depth: number } {
    let found = { node: this.#root, keyAt: Math.max(0, this.#root.at), depth: 0 }
    for (const key of place) {
      const { node } = found
      if (node.kind === 'map') {
        const entry: Entry | undefined = entryOf(node, key)
        if (entry === undefined) break
        found = { node: entry.node, keyAt: entry.keyAt, depth: found.depth + 1 }
      } else if (node.kind === 'list' && typeof key === 'number') {
        const item = node.items[key]
        if (item === undefined) break
        found = { node: item, keyAt: item.at, depth: found.depth + 1 }
      } else break
    }
    return found
  }
}

const entryOf = (node: MapNode, key: string | number): Entry | undefined =>
  node.entries.find((one) => one.key === key)

const pathOf = (place: Place): string => place.map(String).reduce(join, '')
