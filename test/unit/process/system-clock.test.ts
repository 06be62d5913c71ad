import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { test } from 'node:test'
import { SystemClock } from '../../../src/system-clock.ts'

const clock = new SystemClock()

test('now is the wall clock', () => {
  const before = Date.now()
  const now = clock.now()
  assert.ok(now >= before && now <= Date.now())
})

test('sleep lasts its time and rejects with the reason of the signal, before and during', async () => {
  const start = performance.now()
  await clock.sleep(20)
  assert.ok(performance.now() - start >= 18)
  await assert.rejects(clock.sleep(10_000, AbortSignal.abort(new Error('before'))), /before/)
  const controller = new AbortController()
  const sleeping = clock.sleep(10_000, controller.signal)
  controller.abort(new Error('during'))
  await assert.rejects(sleeping, /during/)
})

test('a cancelled reminder never runs', async () => {
  let ran = false
  clock.after(1, () => {
    ran = true
  })()
  await clock.sleep(10)
  assert.equal(ran, false)
})

test('a delay of months does not fire at once', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  let ran = false
  clock.after(60 * 86_400_000, () => {
    ran = true
  })
  t.mock.timers.tick(2_147_483_647)
  t.mock.timers.tick(2_147_483_647)
  assert.equal(ran, false)
  t.mock.timers.tick(60 * 86_400_000 - 2 * 2_147_483_647)
  assert.equal(ran, true)
})

test('a reminder does not keep the process alive, a sleeper does', () => {
  const module = new URL('../../../src/system-clock.ts', import.meta.url).href
  const program = `import { SystemClock } from ${JSON.stringify(module)}
    const clock = new SystemClock()
    clock.after(60_000, () => {})
    void clock.sleep(50).then(() => console.log('slept'))`
  const args = ['--import', 'tsx', '--input-type=module', '--eval', program]
  const out = execFileSync(process.execPath, args, { encoding: 'utf8', timeout: 20_000 })
  assert.equal(out, 'slept\n')
})
