import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AlertRig, hour, metricOf, minute } from './alert-rig.ts'

const zero = { dead: { kind: 'zero', metric: 'loan' } }
const names = (count: number) => Array.from({ length: count }, (_, i) => `p${i}`)
const all = (count: number, value: number) =>
  Object.fromEntries(names(count).map((name) => [name, value]))

test('complaint 8: fifty rules held by one cause are one message, and one when they judge again', async () => {
  const rules = Object.fromEntries(
    names(50).map((name) => [name, { kind: 'zero', metric: 'loan', maxWait: '10m' }]),
  )
  const rig = new AlertRig(rules, [metricOf('loan')])
  rig.window('loan', 0, { a: 5 })
  await rig.until(hour + 2 * minute)
  rig.backlog(10_000)
  await rig.until(6 * hour, 5 * minute)
  assert.deepEqual(rig.said(), ['cannot-judge * LATE 50'])
  rig.backlog(0)
  for (let h = 1; h < 6; h++) rig.window('loan', h * hour, { a: 5 })
  await rig.until(6 * hour + 10 * minute)
  assert.deepEqual(rig.said(), ['resolved * LATE 50'])
})

test('complaint 12: killed before the decision is durable, it is made again, and told once', async () => {
  for (const dieAt of [0, 1, 2, 3, 4]) {
    const rig = new AlertRig(zero, [metricOf('loan')])
    rig.window('loan', 0, { a: 5 })
    await rig.until(2 * hour)
    rig.window('loan', hour, { a: 0 })
    for (let step = 0; step < 8; step++) {
      rig.now = (rig.now + 30_000) as typeof rig.now
      await rig.step(step === dieAt)
    }
    assert.deepEqual(rig.said(), ['firing dead ZERO 1'], `killed at step ${dieAt}`)
  }
})

test('complaint 16: thousands of alerts are one message of bounded size that says how many', async () => {
  const rig = new AlertRig(zero, [metricOf('loan')])
  rig.window('loan', 0, all(3_000, 5))
  await rig.until(2 * hour)
  rig.window('loan', hour, all(3_000, 0))
  await rig.until(2 * hour + 5 * minute)
  const [message, ...others] = rig.sent
  assert.equal(others.length, 0)
  assert.equal(message?.total, 3_000)
  assert.equal(message?.alerts.length, 50)
  assert.ok(JSON.stringify(message).length < 200_000)
})

test('complaint 18: three hours paused, then resumed: windows are judged once each, and what was over by then is not told', async () => {
  const rig = new AlertRig(zero, [metricOf('loan', 5 * minute)])
  await rig.until(20 * minute)
  for (let i = 0; i < 3; i++) rig.window('loan', i * 5 * minute, { a: 5 })
  await rig.until(21 * minute)
  rig.said()
  rig.now = (rig.now + 3 * hour) as typeof rig.now
  // A zero window at 20 min, fine again long before the process went on.
  for (let i = 3; i < 38; i++) rig.window('loan', i * 5 * minute, { a: i === 4 ? 0 : 5 })
  await rig.until(rig.now + 20 * minute)
  assert.deepEqual(rig.said(), [])
  rig.restart()
  await rig.until(rig.now + minute)
  assert.deepEqual(rig.said(), [])
})

test('complaint 23: a restart with a hundred alerts that fire says nothing', async () => {
  const rig = new AlertRig(zero, [metricOf('loan')])
  rig.window('loan', 0, all(100, 5))
  await rig.until(2 * hour)
  rig.window('loan', hour, all(100, 0))
  await rig.until(2 * hour + 5 * minute)
  assert.deepEqual(rig.said(), ['firing dead ZERO 100'])
  for (let restarts = 0; restarts < 3; restarts++) {
    rig.restart()
    await rig.until(rig.now + 5 * minute)
  }
  assert.deepEqual(rig.said(), [])
  rig.window('loan', 2 * hour, all(100, 5))
  await rig.until(3 * hour + 10 * minute)
  assert.deepEqual(rig.said(), ['resolved dead ZERO 100'])
})

test('complaint 9: an empty answer, an error, an unknown lag and silence are told apart', async () => {
  const rig = new AlertRig({ dead: { kind: 'zero', metric: 'loan', maxWait: '10h' } }, [
    metricOf('loan'),
  ])
  rig.window('loan', 0, { a: 5 })
  await rig.until(hour + 5 * minute)
  const reasonAt = async (until: number) => {
    await rig.until(until)
    const held = rig.engine.states.rule('dead').held
    return `${held?.cause}: ${held?.reason}`
  }
  rig.backlog(700, hour)
  assert.match(await reasonAt(2 * hour + 2 * minute), /^LATE: the watermark is .* 700 records/)
  rig.backlog(undefined, hour)
  assert.match(await reasonAt(rig.now + minute), /^LATE: .*the lag of orders is not known/)
  rig.partition = { ...rig.partition, trouble: 'leader not available' }
  assert.match(await reasonAt(rig.now + minute), /^LATE: partition 0 of orders is not being read/)
  rig.silent(hour)
  assert.match(
    await reasonAt(rig.now + minute),
    /^SOURCE_SILENT: every partition stands at its end/,
  )
})

test('complaint 7: while the sink fails nothing is resolved, nothing is zero, and delivery says unwritten', async () => {
  const rig = new AlertRig(zero, [metricOf('loan')])
  rig.window('loan', 0, { a: 5 })
  await rig.until(hour + 5 * minute)
  rig.sink = { ...rig.sink, waiting: 1, lastError: 'HTTP 500', oldestUnwritten: 0 as never }
  await rig.until(hour + 10 * minute)
  const query = { metric: 'loan', match: [], from: 0 as never, to: hour as never, limit: 10 }
  const [verdict] = rig.engine.board.query(query, rig.evidence())
  assert.deepEqual([verdict?.value, verdict?.delivery], ['OK', 'unwritten'])
  rig.sink = { ...rig.sink, waiting: 0, lastError: undefined, oldestUnwritten: undefined }
  await rig.until(hour + 11 * minute)
  assert.equal(rig.engine.board.query(query, rig.evidence())[0]?.delivery, 'written')
  assert.deepEqual(rig.said(), [])
})

test('a clock that jumps a day ahead and back judges no window twice and none before it is closed', async () => {
  const rig = new AlertRig({ dead: { kind: 'zero', metric: 'loan', maxWait: '7d' } }, [
    metricOf('loan'),
  ])
  rig.window('loan', 0, { a: 5 })
  await rig.until(hour + 5 * minute)
  const real = rig.now
  rig.now = (real + 24 * hour) as typeof rig.now
  await rig.step()
  rig.now = real
  await rig.step()
  rig.window('loan', hour, { a: 0 })
  await rig.until(2 * hour + 5 * minute)
  rig.window('loan', 2 * hour, { a: 6 })
  await rig.until(3 * hour + 5 * minute)
  assert.deepEqual(rig.said(), ['firing dead ZERO 1', 'resolved dead ZERO 1'])
})

test('what was remembered of a metric that is gone leaves the state, and its alerts are taken back', async () => {
  const rules = { ...zero, other: { kind: 'zero', metric: 'pay' } }
  const rig = new AlertRig(rules, [metricOf('loan'), metricOf('pay')])
  for (const metric of ['loan', 'pay']) rig.window(metric, 0, { a: 5 })
  await rig.until(2 * hour)
  for (const metric of ['loan', 'pay']) rig.window(metric, hour, { a: 0 })
  await rig.until(2 * hour + 5 * minute)
  assert.deepEqual(rig.said().sort(), ['firing dead ZERO 1', 'firing other ZERO 1'])
  const after = new AlertRig(zero, [metricOf('loan')], rig.now)
  after.engine.restore(rig.store)
  const left = () => [...rig.store.range('alert/', 'alert0')].filter(([key]) => key.includes('pay'))
  assert.ok(left().length > 0)
  const messages = []
  for (let step = 0; step < 12; step++) {
    after.now = (after.now + minute) as typeof after.now
    const { operations, notifications } = after.engine.evaluate([], [], after.evidence())
    await rig.store.commit(operations)
    messages.push(...notifications.map(({ kind, group }) => `${kind} ${group.rule}`))
  }
  assert.deepEqual(left(), [])
  assert.deepEqual(messages, ['correction other'])
})
