import type { DedupStore } from '../dedup-store.ts'
import { DUPLICATE, FIRST } from '../fingerprint-table.ts'
import { KeyLog } from '../key-log.ts'
import { RoaringBitmap } from './roaring-bitmap.ts'

/**
 * `first` by arrival for users that are unsigned 32-bit integers, exact: one roaring bitmap for each series. Its key is not a
 * hash: `high` is 1 + the id of the series, `low` the user.
 */
export class BitmapStore implements DedupStore {
  readonly withdrawn = new Float64Array(0)
  readonly #series: (RoaringBitmap | undefined)[] = []
  readonly #changes = new KeyLog(2)
  #size = 0

  get size(): number {
    return this.#size
  }

  get changes(): number {
    return this.#changes.length
  }

  get bytes(): number {
    return this.#series.reduce((bytes, one) => bytes + (one?.bytes ?? 0), this.#changes.bytes)
  }

  offer(high: number, low: number): number {
    if (!this.#add(high, low)) return DUPLICATE
    this.#changes.append(high, low)
    return FIRST
  }

  takeChanges(): Uint8Array | undefined {
    return this.#changes.take()
  }

  load(blob: Uint8Array): void {
    const words = KeyLog.decode(blob, 2)
    for (let at = 0; at < words.length; at += 2)
      this.#add(words[at] as number, words[at + 1] as number)
  }

  #add(series: number, user: number): boolean {
    let bitmap = this.#series[series]
    if (bitmap === undefined) {
      bitmap = new RoaringBitmap()
      this.#series[series] = bitmap
    }
    if (!bitmap.add(user)) return false
    this.#size++
    return true
  }
}
