import assert from 'node:assert/strict'
import test from 'node:test'
import { BatchTemplate, firstUser } from '../../bench/load/batch-template.ts'
import { ExpectedCounts } from '../../bench/load/expected-counts.ts'
import { type LoadSpec, usualLoad } from '../../bench/load/load-spec.ts'
import { LoanDocuments } from '../../bench/load/loan-document.ts'
import { channels, dimensionsOf, hourMs, loanEvents } from '../../bench/load/loan-events.ts'
import { RecordBatchWriter } from '../../bench/load/record-batch-writer.ts'

const small: LoadSpec = { ...usualLoad, events: 8_000, users: 2_500, hours: 3 }

interface Document {
  readonly eventTime: number
  readonly bizLine: string
  readonly product: string
  readonly userId: string
  readonly status: string
  readonly channel: string
}

function documentsOf(spec: LoadSpec): Document[] {
  const documents = new LoanDocuments(spec)
  return Array.from(loanEvents(spec), (event) => JSON.parse(documents.text(event)) as Document)
}

/** The counts by maps of strings, from what is really written. */
function countedSlowly(documents: readonly Document[], endMs: number): Map<string, number> {
  const best = new Map<string, boolean>()
  const counts = new Map<string, number>()
  const raise = (key: string, by = 1) => counts.set(key, (counts.get(key) ?? 0) + by)
  for (const { eventTime, bizLine, product, userId, status, channel } of documents) {
    const hour = Math.floor(eventTime / hourMs) * hourMs
    if (hour >= endMs) continue
    const success = status === 'success'
    const series = `loan ${hour} ${bizLine} ${product}`
    const key = `${series} ${userId}`
    best.set(key, (best.get(key) ?? false) || success)
    for (const name of ['users', 'success', 'events', 'rawSuccess']) raise(`${series} ${name}`, 0)
    raise(`${series} events`)
    if (success) raise(`${series} rawSuccess`)
    raise(`channel ${hour} ${channel} ${status}`)
  }
  for (const [key, success] of best) {
    const series = key.slice(0, key.lastIndexOf(' '))
    raise(`${series} users`)
    if (success) raise(`${series} success`)
  }
  return counts
}

for (const [name, more] of Object.entries({
  'users who come back': {},
  'duplicates, and users of the hour before': { duplicates: 0.6, users: 8_000 },
  'one user with a third of the events': { hotUser: 0.3 },
  'many series and short documents': { series: 1_200, bytes: 200 },
})) {
  test(`what must be counted is what the documents say: ${name}`, () => {
    const spec = { ...small, ...more }
    const expected = new ExpectedCounts(spec)
    for (const event of loanEvents(spec)) expected.add(event)
    const documents = documentsOf(spec)
    const endMs = Math.floor((documents.at(-1)?.eventTime ?? 0) / hourMs) * hourMs
    assert.deepEqual([...expected.counts()].sort(), [...countedSlowly(documents, endMs)].sort())
  })
}

test('skew is as large as asked', () => {
  const share = (
    spec: Partial<LoadSpec>,
    is: (event: { user: number; partition: number; series: number }) => boolean,
  ) => {
    let found = 0
    for (const event of loanEvents({ ...small, ...spec })) if (is(event)) found++
    return found / small.events
  }
  const near = (value: number, wanted: number) =>
    assert.ok(Math.abs(value - wanted) < 0.03, `${value}`)
  near(
    share({ hotUser: 0.3 }, ({ user }) => user === 0),
    0.3,
  )
  near(
    share({ hotPartition: 0.8 }, ({ partition }) => partition === 0),
    0.8,
  )
  near(
    share({ hotSeries: 0.9 }, ({ series }) => series === 0),
    0.9,
  )
})

test('documents are on the average as long as asked for', () => {
  for (const bytes of [200, 312, 1024, 4096]) {
    const spec = { ...small, events: 400, bytes }
    const documents = new LoanDocuments(spec)
    const lengths = Array.from(loanEvents(spec), (event) => documents.text(event).length)
    const mean = lengths.reduce((sum, one) => sum + one, 0) / lengths.length
    assert.ok(Math.abs(mean - bytes) < 16, `${mean}, not ${bytes}`)
  }
})

test('a template gives the batch that would be written with that time and those users', () => {
  const events = Array.from(loanEvents({ ...small, events: 40 }), (event) => ({ ...event })).slice(
    0,
    40,
  )
  const documents = new LoanDocuments(small)
  const template = new BatchTemplate(documents, events)
  for (const [time, user] of [
    [1_736_121_600_123, 77],
    [1_999_999_999_999, 8_000_000_000],
  ] as const) {
    const writer = new RecordBatchWriter()
    events.forEach((event, index) => {
      writer.add(documents.text({ ...event, eventTime: time, user: user + index }), time)
    })
    assert.ok(template.batch(time, user).equals(writer.take()))
  }
  assert.equal(String(firstUser).length, 10)
})

test('as many series as asked for have names of their own', () => {
  for (const series of [1, 12, 1_000, 100_000]) {
    const names = new Set(
      Array.from({ length: series }, (_, one) => dimensionsOf({ ...small, series }, one).join(' ')),
    )
    assert.equal(names.size, series)
  }
  assert.equal(channels.length, 4)
})
