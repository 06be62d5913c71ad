import { JsonParseDecoder } from './decode-json-parse.ts'
import { JsonWalkDecoder } from './decode-json-walk.ts'
import type { Decoder, DecoderKind, DecoderOptions } from './decoder.ts'

/** A decoder for one source; it keeps interned texts and seeds, so one per lane and source is made once. */
export function createDecoder(kind: DecoderKind, options: DecoderOptions): Decoder {
  return kind === 'json-walk' ? new JsonWalkDecoder(options) : new JsonParseDecoder(options)
}
