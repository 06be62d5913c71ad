import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AlertRig, hour, metricOf, minute } from './alert-rig.ts'

test('a metric that is renamed keeps its windows, series and alerts, and leaves nothing under its old name', async () => {
  const rig = new AlertRig({ dead: { kind: 'zero', metric: 'loan' } }, [metricOf('loan')])
  rig.window('loan', 0, { a: 5, b: 5 })
  await rig.until(2 * hour)
  rig.window('loan', hour, { a: 5, b: 0 })
  await rig.until(2 * hour + 5 * minute)
  assert.deepEqual(rig.said(), ['firing dead ZERO 1'])

  const renamed = { ...metricOf('credit'), renamedFrom: 'loan' }
  const rules = { dead: { kind: 'zero', metric: 'credit' } }
  const after = new AlertRig(rules, [renamed], rig.now)
  for (const [key, value] of [...rig.store.range('', '~')]) {
    await after.store.commit([{ kind: 'put', key, value }])
  }
  after.restart()
  await after.until(after.now + 5 * minute)
  assert.deepEqual(after.said(), [], 'the alert goes on')
  const keys = [...after.store.range('alert/', 'alert0')].map(([key]) => key)
  assert.deepEqual(
    keys.filter((key) => key.includes('/loan')),
    [],
  )
  after.restart()
  assert.equal(after.engine.histories.get('credit')?.blockAt(hour)?.kind, 'whole')
  after.window('credit', 2 * hour, { a: 5, b: 5 })
  await after.until(3 * hour + 5 * minute)
  assert.deepEqual(after.said(), ['resolved dead ZERO 1'])
})
