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

  /** @param dead of `records` */
  add(records: number, dead: number): void {
    this.#records += records
    this.#dead += dead
    while (this.#records > memory) {
      this.#records /= 2
      this.#dead /= 2
    }
  }
}
