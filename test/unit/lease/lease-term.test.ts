import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LeaseTerm } from '../../../src/lease/lease-term.ts'

test('a term ends two thirds after its last renewal was sent, whatever comes later', () => {
  let now = 1_000
  const term = new LeaseTerm(7n, 9_000, now, () => now)
  now += 5_999
  assert.ok(term.held())
  term.renewed(5_000)
  now = 10_999
  assert.ok(term.held())
  now = 11_000
  assert.ok(!term.held())
  assert.ok(term.lost.aborted)
  term.renewed(11_000)
  assert.ok(!term.held(), 'an answer that comes too late renews nothing')
})

test('an answer to an older request takes nothing away', () => {
  let now = 0
  const term = new LeaseTerm(1n, 3_000, now, () => now)
  now = 1_500
  term.renewed(1_400)
  term.renewed(100)
  now = 3_300
  assert.ok(term.held())
})

test('ended with a reason it says why, once', () => {
  const term = new LeaseTerm(1n, 3_000, 0, () => 0)
  term.end('given back')
  term.end('something else')
  assert.ok(!term.held())
  assert.match(String(term.lost.reason), /given back/)
})
