/** Members up to which a container is a sorted list; above it is a bitmap of 8 KiB. */
const listLimit = 4096

/**
 * A set of unsigned 32-bit integers: one container for each value of the upper 16 bits, a sorted list of the lower ones
 * or, from 4096 members on, a bitmap (Chambi, Lemire, Kaser, Godin 2016).
 */
export class RoaringBitmap {
  readonly #containers = new Map<number, Container>()
  #size = 0
  #bytes = 0

  get size(): number {
    return this.#size
  }

  /** Bytes of the containers. */
  get bytes(): number {
    return this.#bytes
  }

  has(value: number): boolean {
    return this.#containers.get(value >>> 16)?.has(value & 0xffff) ?? false
  }

  /** Adds the value; true when it was not there. */
  add(value: number): boolean {
    const key = value >>> 16
    let container = this.#containers.get(key)
    if (container === undefined) {
      container = new Container()
      this.#containers.set(key, container)
    }
    const before = container.bytes
    if (!container.add(value & 0xffff)) return false
    this.#bytes += container.bytes - before
    this.#size++
    return true
  }
}

class Container {
  #list: Uint16Array | undefined = new Uint16Array(4)
  #bits: Uint32Array | undefined
  #size = 0

  get bytes(): number {
    return this.#bits?.byteLength ?? this.#list?.byteLength ?? 0
  }

  has(value: number): boolean {
    if (this.#bits !== undefined)
      return ((this.#bits[value >>> 5] as number) & (1 << (value & 31))) !== 0
    const list = this.#list as Uint16Array
    const at = this.#placeOf(list, value)
    return at < this.#size && list[at] === value
  }

  add(value: number): boolean {
    if (this.#bits === undefined) {
      const list = this.#list as Uint16Array
      const at = this.#placeOf(list, value)
      if (at < this.#size && list[at] === value) return false
      if (this.#size < listLimit) {
        this.#insert(list, at, value)
        return true
      }
      this.#toBits(list)
    }
    const bits = this.#bits as unknown as Uint32Array
    const word = bits[value >>> 5] as number
    const bit = 1 << (value & 31)
    if ((word & bit) !== 0) return false
    bits[value >>> 5] = word | bit
    this.#size++
    return true
  }

  /** Index of the first member that is not less than `value`. */
  #placeOf(list: Uint16Array, value: number): number {
    // Ids often come in ascending order.
    if (this.#size === 0 || (list[this.#size - 1] as number) < value) return this.#size
    let low = 0
    let high = this.#size
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((list[middle] as number) < value) low = middle + 1
      else high = middle
    }
    return low
  }

  #insert(list: Uint16Array, at: number, value: number): void {
    let target = list
    if (this.#size === list.length) {
      target = new Uint16Array(Math.min(listLimit, list.length * 2))
      target.set(list.subarray(0, at))
      this.#list = target
    }
    target.set(list.subarray(at, this.#size), at + 1)
    target[at] = value
    this.#size++
  }

  #toBits(list: Uint16Array): void {
    const bits = new Uint32Array(2048)
    for (const value of list)
      bits[value >>> 5] = (bits[value >>> 5] as number) | (1 << (value & 31))
    this.#bits = bits
    this.#list = undefined
  }
}
