import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DemoTable } from '../../../src/app/demo-table.ts'
import type { Pane } from '../../../src/core/pane.ts'
import { epochMs } from '../../../src/core/time.ts'

const hour = 3_600_000
const base = Date.parse('2026-11-20T23:00:00Z')

const pane = (metric: string, product: string, more: Partial<Pane> = {}): Pane => ({
  metric,
  tags: product === '' ? {} : { product },
  windowStart: epochMs(base),
  windowEnd: epochMs(base + hour),
  firing: 'on-time',
  revision: 0,
  values: { events: 200, users: 100, rawRate: 0.5, rate: 0.8125 },
  previous: undefined,
  zero: false,
  ...more,
})

function shown(...calls: readonly (readonly Pane[])[]) {
  let text = ''
  const table = new DemoTable((more) => {
    text += more
  }, 'total')
  for (const panes of calls) table.show(panes)
  return { text, windows: table.windows }
}

test('a window is one section: series by name, the total last, both rates side by side', () => {
  const { text, windows } = shown([pane('total', ''), pane('one', 'b'), pane('one', 'a')])
  assert.equal(windows, 1)
  assert.equal(
    text,
    `
2026-11-20 23:00 to 00:00 UTC           events      users   raw rate  user rate
  a                                        200        100     50.0 %     81.3 %
  b                                        200        100     50.0 %     81.3 %
all                                        200        100     50.0 %     81.3 %
`,
  )
})

test('every line fits 80 columns', () => {
  const values = { events: 12_345_678, users: 1_234_567, rawRate: 1, rate: 1 }
  const { text } = shown([pane('one', 'consumer-loan / education', { values })])
  for (const line of text.split('\n')) assert.ok(line.length <= 80, line)
})

test('late events make a section of their own that counts as no further window', () => {
  const late = pane('one', 'a', { firing: 'late', revision: 1 })
  const { text, windows } = shown([pane('one', 'a'), late], [late])
  assert.equal(windows, 1)
  assert.equal(text.match(/corrected by late events/g)?.length, 2)
})

test('two windows of one checkpoint are two sections, a rate over nothing is a dash', () => {
  const start = epochMs(base + hour)
  const next = pane('one', 'a', {
    windowStart: start,
    windowEnd: epochMs(base + 2 * hour),
    values: { events: 0, users: 0 },
  })
  const { text, windows } = shown([pane('one', 'a'), next])
  assert.equal(windows, 2)
  assert.match(text, / {2}a +0 +0 +– +–\n/)
})
