import type { StateOperation, StateStore } from '../../core/state-store.ts'
import { type EpochMs, epochMs } from '../../core/time.ts'
import { decode, put } from '../state-json.ts'

export type Tags = Readonly<Record<string, string>>

interface Series {
  tags: Tags
  key: string
  /** Start of the first window with an event of it; infinite: none yet. */
  firstStart: EpochMs
  /** End of the last one; minus infinite: none yet. */
  lastEnd: EpochMs
  declared: boolean
}

/** The same text for the same tags, in whatever order they stand. */
export function tagsKey(tags: Tags): string {
  return JSON.stringify(Object.entries(tags).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)))
}

/** Ids of the series of one metric that are judged. Ids of series that were not seen for long are used again when there is no room. */
export class SeriesNames {
  readonly #metric: string
  readonly #max: number
  readonly #series: Series[] = []
  readonly #ids = new Map<string, number>()
  readonly #changed = new Set<number>()
  /** Grows with every change of who is there. */
  version = 0
  /** Panes of series for which there was no room. */
  refused = 0

  constructor(metric: string, max: number) {
    this.#metric = metric
    this.#max = max
  }

  get size(): number {
    return this.#series.length
  }

  /** @param from name under which they were stored */
  restore(store: StateStore, from: string): void {
    const prefix = prefixOf(from)
    for (const [key, value] of store.range(prefix, `${prefix}~`)) {
      const id = Number(key.slice(prefix.length))
      const saved = decode<Pick<Series, 'tags' | 'firstStart'>>(value)
      const { tags, firstStart } = saved
      const one = { tags, key: tagsKey(tags), firstStart, lastEnd: never, declared: false }
      this.#series[id] = one
      this.#ids.set(one.key, id)
      if (from !== this.#metric) this.#changed.add(id)
    }
    this.version++
  }

  idOf(tags: Tags): number | undefined {
    return this.#ids.get(tagsKey(tags))
  }

  tagsOf(id: number): Tags {
    return this.#at(id).tags
  }

  keyOf(id: number): string {
    return this.#at(id).key
  }

  firstStart(id: number): EpochMs {
    return this.#at(id).firstStart
  }

  lastEnd(id: number): EpochMs {
    return this.#at(id).lastEnd
  }

  declare(tags: Tags): void {
    const id = this.add(tags, epochMs(0))
    if (id.kind !== 'full') this.#at(id.id).declared = true
  }

  /** Was there an event of it at most `expireAfterMs` before `end`, or was it declared? */
  isKnown(id: number, end: number, expireAfterMs: number): boolean {
    const one = this.#at(id)
    return one.declared || (one.firstStart < end && end - one.lastEnd <= expireAfterMs)
  }

  /** @param forgetBefore series without an event since may lose their id */
  add(
    tags: Tags,
    forgetBefore: EpochMs,
  ):
    | { readonly kind: 'known' | 'new' | 'reused'; readonly id: number }
    | { readonly kind: 'full' } {
    const key = tagsKey(tags)
    const known = this.#ids.get(key)
    if (known !== undefined) return { kind: 'known', id: known }
    const fresh = { tags, key, firstStart: always, lastEnd: never, declared: false }
    let id = this.#series.length
    let kind: 'new' | 'reused' = 'new'
    if (id >= this.#max) {
      id = this.#series.findIndex((one) => !one.declared && one.lastEnd < forgetBefore)
      if (id < 0) {
        this.refused++
        return { kind: 'full' }
      }
      this.#ids.delete(this.#at(id).key)
      kind = 'reused'
    }
    this.#series[id] = fresh
    this.#ids.set(key, id)
    this.#changed.add(id)
    this.version++
    return { kind, id }
  }

  /** An event of it in that window. */
  see(id: number, start: EpochMs, end: EpochMs): void {
    const one = this.#at(id)
    if (end > one.lastEnd) one.lastEnd = end
    if (start >= one.firstStart) return
    one.firstStart = start
    this.#changed.add(id)
  }

  takeChanges(): StateOperation[] {
    const operations = [...this.#changed].map((id) => {
      const { tags, firstStart } = this.#at(id)
      return put(prefixOf(this.#metric) + String(id).padStart(8, '0'), { tags, firstStart })
    })
    this.#changed.clear()
    return operations
  }

  #at(id: number): Series {
    const one = this.#series[id]
    if (one === undefined) throw new RangeError(`unknown series ${id}`)
    return one
  }
}

const prefixOf = (metric: string): string => `alert/series/${metric}/`

const never = epochMs(Number.NEGATIVE_INFINITY)
const always = epochMs(Number.POSITIVE_INFINITY)
