import assert from 'node:assert/strict'
import { test } from 'node:test'
import { durationMs, epochMs } from '../../../src/core/time.ts'
import { type RestartPolicy, RestartStrategy } from '../../../src/pipeline/restart-strategy.ts'

/** Waits after failures at the given times, each after a run of `ranMs`. */
function waits(policy: RestartPolicy, runs: readonly (readonly [at: number, ranMs: number])[]) {
  const strategy = new RestartStrategy(policy)
  return runs.map(([at, ranMs]) => strategy.failed(epochMs(at), ranMs))
}

const short = (count: number) => Array.from({ length: count }, (_, index) => [index, 0] as const)

test('none gives up at the first failure', () => {
  assert.deepEqual(waits({ strategy: 'none' }, short(1)), [undefined])
})

test('fixed-delay waits as often as it has attempts, and a sound run gives all of them back', () => {
  const policy = { strategy: 'fixed-delay', delayMs: durationMs(10_000), attempts: 2 } as const
  assert.deepEqual(waits(policy, short(3)), [10_000, 10_000, undefined])
  assert.deepEqual(
    waits(policy, [
      [0, 0],
      [0, 0],
      [0, 100_000],
      [0, 99_999],
      [0, 0],
    ]),
    [10_000, 10_000, 10_000, 10_000, undefined],
  )
})

test('fixed-delay without a delay gives up all the same', () => {
  const policy = { strategy: 'fixed-delay', delayMs: durationMs(0), attempts: 3 } as const
  const runs = Array.from({ length: 4 }, (_, index) => [index, 59_999] as const)
  assert.deepEqual(waits(policy, runs), [0, 0, 0, undefined])
})

test('failure-rate gives up when there were more than max within its span, and forgets older ones', () => {
  const policy = {
    strategy: 'failure-rate',
    max: 2,
    perMs: durationMs(100),
    delayMs: durationMs(5),
  } as const
  const at = (...times: number[]) => times.map((time) => [time, 0] as const)
  assert.deepEqual(waits(policy, at(0, 1, 99)), [5, 5, undefined])
  assert.deepEqual(waits(policy, at(0, 1, 100, 101)), [5, 5, 5, 5])
})

test('exponential waits longer each time up to its bound, for ever, and a long run starts anew', () => {
  const policy = {
    strategy: 'exponential',
    initialMs: durationMs(100),
    maxMs: durationMs(1_000),
    multiplier: 3,
    resetAfterMs: durationMs(600_000),
  } as const
  assert.deepEqual(
    waits(policy, [...short(4), [0, 599_999], [0, 600_000], [0, 0]]),
    [100, 300, 900, 1_000, 1_000, 100, 300],
  )
  const many = waits({ ...policy, multiplier: 100 }, short(2_000))
  assert.equal(many.at(-1), 1_000)
  const none = waits({ ...policy, multiplier: 100, initialMs: durationMs(0) }, short(2_000))
  assert.equal(none.at(-1), 0)
})
