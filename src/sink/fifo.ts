/** First in, first out, in constant time each. */
export class Fifo<T> {
  #items: T[] = []
  #head = 0

  get length(): number {
    return this.#items.length - this.#head
  }

  push(item: T): void {
    this.#items.push(item)
  }

  first(): T | undefined {
    return this.#items[this.#head]
  }

  shift(): T | undefined {
    const item = this.#items[this.#head]
    if (this.#head >= this.#items.length) return undefined
    this.#head++
    if (
      this.#head === this.#items.length ||
      (this.#head > 1024 && this.#head * 2 > this.#items.length)
    ) {
      this.#items = this.#items.slice(this.#head)
      this.#head = 0
    }
    return item
  }

  /** The first item that satisfies `test`, from the first in on. */
  find(test: (item: T) => boolean): T | undefined {
    for (let i = this.#head; i < this.#items.length; i++) {
      const item = this.#items[i]
      if (item !== undefined && test(item)) return item
    }
    return undefined
  }

  forEach(visit: (item: T) => void): void {
    for (let i = this.#head; i < this.#items.length; i++) {
      const item = this.#items[i]
      if (item !== undefined) visit(item)
    }
  }

  /** A new one of those items that satisfy `test`. */
  filter(test: (item: T) => boolean): Fifo<T> {
    const kept = new Fifo<T>()
    this.forEach((item) => {
      if (test(item)) kept.push(item)
    })
    return kept
  }
}
