import type { DecoderExports } from './wasm-engine.ts'
import type { WasmViews } from './wasm-views.ts'

/** Zero bytes behind the input: as `SLACK` in src/ingest/wasm/assembly/bytes.ts. */
const SLACK = 64
/** Bytes copied at a time: they stay in the processor's cache while they are decoded. */
const WINDOW_BYTES = 262_144

/** A part of a source's bytes in a module's memory. */
export class WasmInput {
  readonly #exports: DecoderExports
  readonly #views: WasmViews
  #address = 0
  #capacity = 0
  #bytes: Buffer | undefined
  #from = 0
  #to = 0

  constructor(exports: DecoderExports, views: WasmViews) {
    this.#exports = exports
    this.#views = views
  }

  /** What was copied may have changed. */
  forget(): void {
    this.#bytes = undefined
  }

  /** Address of `from ≤ i < to` of the bytes, copied when they are not there; what follows them comes along, up to the size of a window. */
  addressOf(bytes: Buffer, from: number, to: number): number {
    if (bytes !== this.#bytes || from < this.#from || to > this.#to) {
      this.#copy(bytes, from, Math.max(to, Math.min(bytes.length, from + WINDOW_BYTES)))
    }
    return this.#address + from - this.#from
  }

  #copy(bytes: Buffer, from: number, to: number): void {
    const length = to - from
    if (length > this.#capacity) {
      this.#capacity = Math.max(WINDOW_BYTES, 2 ** Math.ceil(Math.log2(length)))
      this.#address = this.#exports.alloc(this.#capacity + SLACK)
    }
    const memory = this.#views.bytes
    memory.set(bytes.subarray(from, to), this.#address)
    memory.fill(0, this.#address + length, this.#address + length + SLACK)
    this.#bytes = bytes
    this.#from = from
    this.#to = to
  }
}

/** End of the lines that go to the module together: whole ones, about a window's worth, or a single longer one. */
export function lineWindowEnd(bytes: Buffer, from: number): number {
  if (bytes.length - from <= WINDOW_BYTES) return bytes.length
  const last = bytes.lastIndexOf(10, from + WINDOW_BYTES - 1)
  const newline = last >= from ? last : bytes.indexOf(10, from)
  return newline < 0 ? bytes.length : newline + 1
}
