import assert from 'node:assert/strict'
import { appendFileSync, existsSync, renameSync, writeFileSync } from 'node:fs'
import { after, test } from 'node:test'
import { until } from '../support/until.ts'
import { totalOf, WardenHome } from '../support/warden-process.ts'
import { pointKey } from './read-opentsdb.ts'
import { readPointFile } from './read-point-file.ts'

const hourMs = 3_600_000
const firstHour = Date.UTC(2026, 0, 5)
const config = {
  job: 'lookups',
  sources: {
    log: {
      type: 'file',
      path: './events.jsonl',
      follow: true,
      event: { time: 'at', user: 'user' },
    },
  },
  enrich: { products: { type: 'file', path: './products.csv', refresh: '100ms' } },
  metrics: {
    loan: {
      window: { size: '1h' },
      dimensions: [{ name: 'bizLine', lookup: { from: 'products', key: 'product' } }],
      dedup: { keep: 'first' },
      zeroFill: { enabled: false },
      emitPartial: true,
    },
  },
  sinks: { points: { type: 'file', path: './points.jsonl' } },
  checkpoint: { interval: '200ms', minPause: '50ms' },
}

const home = new WardenHome(config)
after(() => home.remove())

const line = (at: number, user: string, product: string) =>
  `${JSON.stringify({ at, user, product })}\n`

function table(rows: Readonly<Record<string, string>>): void {
  const text = Object.entries(rows).map(([key, value]) => `${key},${value}\n`)
  writeFileSync(home.path('products.new'), `product,bizLine\n${text.join('')}`)
  renameSync(home.path('products.new'), home.path('products.csv'))
}

/** Points as `value@hour`. */
function counts(): Record<string, number | undefined> {
  const points = existsSync(home.path('points.jsonl'))
    ? readPointFile(home.path('points.jsonl'))
    : new Map<string, number>()
  return Object.fromEntries(
    ['cash', 'moved', 'unknown'].flatMap((bizLine) =>
      [0, 1].flatMap((hour) => {
        const at = (firstHour + hour * hourMs) / 1_000
        const value = points.get(pointKey('warden.loan.count', { bizLine }, at))
        return value === undefined ? [] : [[`${bizLine}@${hour}`, value] as const]
      }),
    ),
  )
}

test('killed by SIGKILL while the table changes: the window that has begun keeps its values, the next has the new ones', async () => {
  table({ p1: 'cash' })
  writeFileSync(home.path('events.jsonl'), line(firstHour + 1, 'u1', 'p1'))
  const first = home.run()
  const checkpoints = async () =>
    totalOf(await first.metrics(), 'warden_checkpoint_duration_seconds_count')
  await until(
    'the first event is counted',
    async () => totalOf(await first.metrics(), 'warden_rows_total') === 1,
  )
  const before = await checkpoints()
  // The one that runs now may have begun before the event.
  await until('it is in a checkpoint', async () => (await checkpoints()) >= before + 2)
  appendFileSync(home.path('events.jsonl'), line(firstHour + 2, 'u2', 'p1'))
  await first.kill()

  table({ p1: 'moved', p2: 'moved' })
  appendFileSync(
    home.path('events.jsonl'),
    line(firstHour + 3, 'u3', 'p1') +
      line(firstHour + 4, 'u3', 'p2') +
      line(firstHour + hourMs, 'u3', 'p1') +
      line(firstHour + hourMs, 'u3', 'p9') +
      line(firstHour + 3 * hourMs, 'u9', 'p9'),
  )
  const second = home.run()
  await until('both hours are written', () => Object.keys(counts()).length === 4)
  await second.stop()
  assert.deepEqual(counts(), { 'cash@0': 3, 'moved@0': 1, 'moved@1': 1, 'unknown@1': 1 })
})
