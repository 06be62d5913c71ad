import { wasmBinaries } from './wasm-binaries.ts'

/** With vector instructions, or without them. */
export type WasmBuild = keyof typeof wasmBinaries

/** What is used of the standard `WebAssembly` object; the language's own types do not know it. */
interface WasmEngine {
  readonly Module: new (bytes: Uint8Array) => object
  readonly Instance: new (module: object, imports: object) => { readonly exports: object }
  validate(bytes: Uint8Array): boolean
}

/** Memory of an instance; `buffer` is another one when it has grown. */
export interface WasmMemory {
  readonly buffer: ArrayBuffer
}

/** A function that takes and returns 32-bit integers, doubles or nothing. */
type Call = (...args: number[]) => number

/** What src/ingest/wasm/assembly/index.ts exports; every function says there what it does. */
export interface DecoderExports {
  readonly memory: WasmMemory
  readonly capacity: { readonly value: number }
  readonly multipliers: { readonly value: number }
  readonly offsets: { readonly value: number }
  readonly root: { readonly value: number }
  readonly times: { readonly value: number }
  readonly alloc: Call
  readonly begin: Call
  readonly columnOf: Call
  readonly lines: Call
  readonly makeCombination: Call
  readonly makeDimension: Call
  readonly makeEntry: Call
  readonly makeEvent: Call
  readonly makeFieldCondition: Call
  readonly makeLiteral: Call
  readonly makeMetric: Call
  readonly makeMetrics: Call
  readonly makeNode: Call
  readonly makePart: Call
  readonly makeReset: Call
  readonly makeSlots: Call
  readonly makeSymbols: Call
  readonly makeText: Call
  readonly makeValue: Call
  readonly progressAt: Call
  readonly records: Call
  readonly textLengthOf: Call
  readonly textOf: Call
}

/** What the module asks of its host; src/ingest/wasm/assembly/host.ts says what each does. */
export interface DecoderHost {
  leave(start: number, end: number, offset: number, timestamp: number): void
  flush(): unknown
  forgotten(): unknown
  numberOfText(from: number, to: number): number
  isoTimeOfText(from: number, to: number): number
  holdsOfString(condition: number, symbol: number): boolean
  holdsOfNumber(condition: number, from: number, to: number): boolean
  outcomeOf(metric: number, symbol: number): number
  seriesOf(metric: number, tuple: number, seed: number): number
}

/** A module whose one function splats a byte: valid where vector instructions are. */
const vectorProbe = Uint8Array.of(
  ...[0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0],
  ...[10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11],
)

/** Compiled once per thread. */
const modules = new Map<WasmBuild, object>()

function engine(): WasmEngine | undefined {
  return (globalThis as { readonly WebAssembly?: WasmEngine }).WebAssembly
}

/** Can this process run WebAssembly? Not with `--jitless`. */
export function hasWasm(): boolean {
  return engine() !== undefined
}

/** The quicker build that this process can run. */
export function bestBuild(): WasmBuild {
  return engine()?.validate(vectorProbe) === true ? 'simd' : 'plain'
}

/** A decoder module with its own memory. Throws where there is no WebAssembly, or no memory for it. */
export function instantiate(build: WasmBuild, host: DecoderHost): DecoderExports {
  const wasm = engine()
  if (wasm === undefined) throw new Error('this process has no WebAssembly')
  let module = modules.get(build)
  if (module === undefined) {
    module = new wasm.Module(Buffer.from(wasmBinaries[build], 'base64'))
    modules.set(build, module)
  }
  return new wasm.Instance(module, { host }).exports as DecoderExports
}
