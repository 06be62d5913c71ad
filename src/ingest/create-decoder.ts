import { JsonParseDecoder } from './decode-json-parse.ts'
import { JsonWalkDecoder } from './decode-json-walk.ts'
import type { Decoder, DecoderKind, DecoderOptions } from './decoder.ts'
import { JsonWasmDecoder } from './wasm/decode-json-wasm.ts'
import { hasWasm } from './wasm/wasm-engine.ts'

/**
 * A decoder for one source; it keeps interned texts and seeds, so one per lane and source is made once.
 * `auto` is `json-wasm`, for every plan; `json-walk` where the process has no WebAssembly (`node --jitless`).
 */
export function createDecoder(kind: DecoderKind | 'auto', options: DecoderOptions): Decoder {
  switch (kind === 'auto' ? (hasWasm() ? 'json-wasm' : 'json-walk') : kind) {
    case 'json-wasm':
      return new JsonWasmDecoder(options)
    case 'json-walk':
      return new JsonWalkDecoder(options)
    case 'json-parse':
      return new JsonParseDecoder(options)
  }
}
