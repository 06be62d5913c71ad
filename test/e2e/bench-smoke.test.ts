import assert from 'node:assert/strict'
import test from 'node:test'
import { measureSmoke, recordedRatio, smokeText } from '../bench/smoke-ratio.ts'

test('Warden is against kafkajs at least half as fast as it was when the ratio was recorded', async (t) => {
  const rates = await measureSmoke()
  t.diagnostic(smokeText(rates))
  assert.ok(rates.ratio >= recordedRatio().ratio / 2, smokeText(rates))
})
