import assert from 'node:assert/strict'
import { test } from 'node:test'
import { digestOfSources } from '../../../scripts/build-wasm.ts'
import { wasmSources } from '../../../src/ingest/wasm/wasm-binaries.ts'

test('the decoder modules are compiled from the sources that lie beside them', () => {
  assert.equal(wasmSources, digestOfSources(), 'they are stale: `npm run wasm` makes them anew')
})
