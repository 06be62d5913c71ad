import type { DecoderExports } from './wasm-engine.ts'

/** Views of a module's memory; made anew when it has grown. */
export class WasmViews {
  readonly #exports: DecoderExports
  #buffer: ArrayBuffer | undefined
  #bytes: Buffer = Buffer.alloc(0)
  #u32 = new Uint32Array(0)
  #f64 = new Float64Array(0)

  constructor(exports: DecoderExports) {
    this.#exports = exports
  }

  get bytes(): Buffer {
    this.#renew()
    return this.#bytes
  }

  get u32(): Uint32Array {
    this.#renew()
    return this.#u32
  }

  get f64(): Float64Array {
    this.#renew()
    return this.#f64
  }

  /** Puts bytes where they stay for ever. */
  keep(bytes: Uint8Array): number {
    const at = this.#exports.alloc(bytes.length)
    this.bytes.set(bytes, at)
    return at
  }

  text(from: number, to: number): string {
    return this.bytes.toString('utf8', from, to)
  }

  /** Text of a symbol. */
  textOfSymbol(symbol: number): string {
    const from = this.#exports.textOf(symbol)
    return this.text(from, from + this.#exports.textLengthOf(symbol))
  }

  #renew(): void {
    const { buffer } = this.#exports.memory
    if (buffer === this.#buffer) return
    this.#buffer = buffer
    this.#bytes = Buffer.from(buffer)
    this.#u32 = new Uint32Array(buffer)
    this.#f64 = new Float64Array(buffer)
  }
}
