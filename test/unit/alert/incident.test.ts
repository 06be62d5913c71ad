import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { AlertRig, hour, metricOf, minute } from './alert-rig.ts'

const rules = {
  rules: {
    dead: { kind: 'zero', metric: 'loan', maxWait: '20m' },
    sink: { kind: 'pipeline', signal: 'sink-failing', for: '1m' },
  },
  route: { repeat: { times: 0 } },
}
const failing = (oldest: number) => ({
  name: 'tsdb',
  waiting: 9,
  oldestWaitingMs: undefined,
  oldestUnwritten: oldest as never,
  lastError: 'HTTP 500',
})
const fine = { ...failing(0), waiting: 0, oldestUnwritten: undefined, lastError: undefined }

describe('the incident', () => {
  test('(a) a backlog is late, and no zero', async () => {
    const rig = await running()
    rig.backlog(50_000, 2 * hour)
    await rig.until(3 * hour + 10 * minute)
    assert.deepEqual(rig.said(), [])
    await rig.until(4 * hour)
    assert.deepEqual(rig.said(), ['cannot-judge dead LATE 1'])
  })

  test('(b) a store that answers 500 for an hour is one message, no zero, and one when it is over', async () => {
    const rig = await running()
    rig.sink = failing(2 * hour)
    await rig.until(3 * hour)
    rig.window('loan', 2 * hour, { a: 5, b: 5 })
    await rig.until(3 * hour + 10 * minute)
    rig.sink = fine
    await rig.until(3 * hour + 50 * minute)
    assert.deepEqual(rig.said(), ['firing sink SINK_FAILING 1', 'resolved sink SINK_FAILING 1'])
  })

  test('(b2) a product that stops meanwhile is told although nothing can be written, and the message says so', async () => {
    const rig = await running()
    rig.sink = failing(2 * hour)
    await rig.until(3 * hour)
    rig.window('loan', 2 * hour, { a: 5, b: 0 })
    await rig.until(3 * hour + 10 * minute)
    const message = rig.sent.find(({ group }) => group.rule === 'dead')
    assert.deepEqual(message?.alerts[0]?.verdict, { value: 'ZERO', delivery: 'unwritten' })
    assert.deepEqual(message?.alerts[0]?.evidence.sinkErrors, [{ sink: 'tsdb', error: 'HTTP 500' }])
    assert.deepEqual(rig.said(), ['firing sink SINK_FAILING 1', 'firing dead ZERO 1'])
  })

  test('(b) a restart while the store hangs is no recovery: nobody knows yet whether it takes points', async () => {
    const rig = await running()
    rig.sink = failing(2 * hour)
    await rig.until(2 * hour + 10 * minute)
    assert.deepEqual(rig.said(), ['firing sink SINK_FAILING 1'])
    rig.restart()
    rig.sink = { ...failing(2 * hour), lastError: undefined, untried: true }
    await rig.until(2 * hour + 15 * minute)
    rig.sink = failing(2 * hour)
    await rig.until(2 * hour + 20 * minute)
    assert.deepEqual(rig.said(), [])
    rig.sink = fine
    await rig.until(2 * hour + 25 * minute)
    assert.deepEqual(rig.said(), ['resolved sink SINK_FAILING 1'])
  })

  test('(c) a producer that stops is a silent source', async () => {
    const rig = await running()
    rig.silent(2 * hour + 10 * minute)
    await rig.until(4 * hour)
    assert.deepEqual(rig.said(), ['cannot-judge dead SOURCE_SILENT 1'])
  })

  test('(d) one product that stops while others go on is a zero within one window and the delay', async () => {
    const rig = await running()
    await rig.until(3 * hour)
    rig.window('loan', 2 * hour, { a: 5, b: 0 })
    await rig.until(3 * hour + 2 * minute)
    const [message] = rig.sent
    assert.deepEqual(message?.alerts[0]?.tags, { product: 'b' })
    assert.deepEqual(message?.alerts[0]?.numbers, {
      now: 0,
      yesterday: undefined,
      lastWeek: undefined,
    })
    assert.deepEqual(rig.said(), ['firing dead ZERO 1'])
  })

  test('(e) over 200 random schedules exactly the messages that the truth asks for, with kills and restarts anywhere', async () => {
    await fc.assert(fc.asyncProperty(schedule, runSchedule), { numRuns: 200, seed: 7 })
  })
})

async function running(): Promise<AlertRig> {
  const rig = new AlertRig(rules, [metricOf('loan')])
  for (const h of [0, 1]) {
    await rig.until((h + 1) * hour)
    rig.window('loan', h * hour, { a: 5, b: 5 })
  }
  await rig.until(2 * hour + 5 * minute)
  assert.deepEqual(rig.said(), [])
  return rig
}

const schedule = fc.array(
  fc.record({
    /** What is true of the window. */
    b: fc.constantFrom(0, 5, 5, 5),
    /** How long after its end the pipeline closes it: on time, or after a backlog. */
    delayMin: fc.constantFrom(0, 0, 0, 16, 50),
    sinkFails: fc.boolean(),
    /** Steps of the hour, of 30, at which the process is killed before its checkpoint, or restarted after it. */
    kill: fc.option(fc.nat(29), { nil: undefined }),
    restart: fc.option(fc.nat(29), { nil: undefined }),
    /** Late data corrects b a quarter of an hour after the window was closed. */
    late: fc.constantFrom(false, false, false, true),
  }),
  { minLength: 2, maxLength: 5 },
)

/** Minutes between checkpoints. */
const stepMin = 2

/** One window an hour; what is expected is written from the schedule alone. */
async function runSchedule(windows: readonly Window[]): Promise<void> {
  const rig = new AlertRig(rules, [metricOf('loan')])
  await rig.until(hour, 10 * minute)
  rig.window('loan', 0, { a: 5, b: 5 })
  const said: string[] = []
  const expected: string[] = []
  let firing = false
  let failed = false
  for (const [index, one] of [...windows, end].entries()) {
    const start = (index + 1) * hour
    const wasFailed = failed
    failed = one.sinkFails
    rig.sink = failed ? failing(start) : fine
    if (failed && !wasFailed) expected.push('firing sink SINK_FAILING 1')
    if (!failed && wasFailed) expected.push('resolved sink SINK_FAILING 1')
    for (let step = 0; step * stepMin < 60; step++) {
      rig.now = (rig.now + stepMin * minute) as typeof rig.now
      const before = windows[index - 1]
      if (before !== undefined) closeAt(rig, before, start - hour, step * stepMin)
      const isBehind = before !== undefined && step * stepMin < before.delayMin
      rig.backlog(isBehind ? 100 : 0, isBehind ? start - hour : rig.now)
      await rig.step(one.kill === step)
      if (one.restart === step) rig.restart()
    }
    const before = windows[index - 1]
    if (before !== undefined) {
      // maxWait is 20 min after the window was due; a sink that fails explains nothing about a window that is late.
      if (before.delayMin === 50) {
        expected.push('cannot-judge dead LATE 1', 'resolved dead LATE 1')
      }
      const isZero = before.b === 0
      if (isZero && !firing) expected.push('firing dead ZERO 1')
      if (!isZero && firing) expected.push('resolved dead ZERO 1')
      const taken = isZero && before.late && before.delayMin < 40
      if (taken) expected.push(firing ? 'resolved dead ZERO 1' : 'correction dead ZERO 1')
      firing = isZero && !taken
    }
    said.push(...rig.said())
  }
  assert.deepEqual(said.sort(), expected.sort())
}

type Window = (typeof schedule extends fc.Arbitrary<(infer T)[]> ? T : never) & object
const end: Window = {
  b: 5,
  delayMin: 0,
  sinkFails: false,
  kill: undefined,
  restart: undefined,
  late: false,
}

function closeAt(rig: AlertRig, window: Window, start: number, at: number): void {
  if (at === window.delayMin) rig.window('loan', start, { a: 5, b: window.b })
  if (at === window.delayMin + 16 && window.late && window.b === 0 && window.delayMin < 40) {
    rig.window('loan', start, { b: 3 }, undefined)
  }
}
