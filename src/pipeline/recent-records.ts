import type { DecodedBatch } from '../core/rows.ts'

/** Records after which the older half begins to be forgotten. */
const memory = 100_000

/** How many of the latest 50,000 to 100,000 records were dead, so that neither a long good past nor a bad one decides. */
export class RecentRecords {
  #records = 0
  #dead = 0

  get records(): number {
    return this.#records
  }

  /** Records refused by all metrics or by some; each counts once. */
  get dead(): number {
    return this.#dead
  }

  add(batch: DecodedBatch): void {
    this.#records += batch.records
    let last = -1
    for (const { offset } of batch.rejects) {
      if (offset !== last) this.#dead++
      last = offset
    }
    while (this.#records > memory) {
      this.#records /= 2
      this.#dead /= 2
    }
  }
}
