import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ComparableWindows } from '../../src/alert/rules/comparable-windows.ts'
import { planOf } from '../unit/alert/alert-rig.ts'

test('two calendars of one zone are told apart: a holiday of one is a workday of the other', () => {
  const { calendars } = planOf({
    rules: { dead: { kind: 'zero', metric: 'loan' } },
    calendars: { cn: { holidays: ['2026-10-01'] }, us: { holidays: ['2026-11-26'] } },
  })
  const windows = new ComparableWindows()
  const nationalDay = Date.UTC(2026, 9, 1, 12)
  const ordinary = ['cn', 'us'].map(
    (name) => windows.place(nationalDay, 'UTC', calendars.get(name)).ordinary,
  )
  assert.deepEqual(ordinary, [false, true])
})
