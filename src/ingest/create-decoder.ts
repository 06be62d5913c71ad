import { needsIntegerUser } from '../core/plan.ts'
import { JsonParseDecoder } from './decode-json-parse.ts'
import { JsonWalkDecoder } from './decode-json-walk.ts'
import type { Decoder, DecoderKind, DecoderOptions } from './decoder.ts'
import { JsonWasmDecoder } from './wasm/decode-json-wasm.ts'
import { hasWasm } from './wasm/wasm-engine.ts'

/**
 * A decoder for one source; it keeps interned texts and seeds, so one per lane and source is made once.
 * `auto` is `json-wasm`; `json-walk` where the process has no WebAssembly (`node --jitless`), where users are integers, and where
 * records say watermarks.
 * @throws RangeError for `json-wasm` where users are integers (it gives their hashes only) or records say watermarks
 */
export function createDecoder(kind: DecoderKind | 'auto', options: DecoderOptions): Decoder {
  const integers = options.metrics.some(needsIntegerUser)
  const marks = options.event.watermark.marks !== undefined
  const wasm = hasWasm() && !integers && !marks
  switch (kind === 'auto' ? (wasm ? 'json-wasm' : 'json-walk') : kind) {
    case 'json-wasm':
      if (integers) throw new RangeError('json-wasm gives no integer users')
      if (marks) throw new RangeError('json-wasm knows no watermarks of records')
      return new JsonWasmDecoder(options)
    case 'json-walk':
      return new JsonWalkDecoder(options)
    case 'json-parse':
      return new JsonParseDecoder(options)
  }
}
