import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { BruteForce, lendingMapping } from '../../e2e/brute-force.ts'
import {
  closingEvents,
  defaultSpec,
  type EventSpec,
  eventStream,
  lateEvents,
  type StreamRecord,
} from '../../e2e/event-stream.ts'

const spec: EventSpec = { ...defaultSpec, count: 20_000, users: 3000 }

function hash(records: Iterable<StreamRecord>): string {
  const digest = createHash('sha256')
  for (const one of records) digest.update(`${one.partition} ${one.timestamp} `).update(one.value)
  return digest.digest('hex')
}

test('the same spec gives the same bytes, another seed gives others', () => {
  assert.equal(hash(eventStream(spec)), hash(eventStream(spec)))
  assert.notEqual(hash(eventStream(spec)), hash(eventStream({ ...spec, seed: 2 })))
})

test('no event of the main stream is 8 minutes behind the newest before it, and most are within the disorder', () => {
  let newest = Number.NEGATIVE_INFINITY
  let behind = 0
  const count = new BruteForce(lendingMapping)
  // The same map all along, which grows.
  const { garbage } = count.expected()
  for (const [offset, record] of [...eventStream(spec)].entries()) {
    const before = garbage.size
    count.add({ ...record, offset, value: Buffer.from(record.value) })
    if (garbage.size > before) continue
    const time = timeOf(record)
    assert.ok(newest - time < 8 * 60_000)
    assert.ok(time <= record.timestamp)
    if (newest - time > spec.disorderMs) behind++
    newest = Math.max(newest, time)
  }
  assert.ok(behind > 100 && behind < spec.count * 0.05, `${behind} are behind`)
})

test('the stream has retries, duplicates, garbage of every reason, and events on both sides of an hour', () => {
  const count = new BruteForce(lendingMapping)
  const times = new Set<number>()
  const texts = new Set<string>()
  let repeated = 0
  for (const [offset, record] of [...eventStream({ ...spec, spanMs: 7_200_000 })].entries()) {
    const value = Buffer.from(record.value)
    count.add({ ...record, offset, value })
    const text = value.toString()
    if (texts.has(text)) repeated++
    texts.add(text)
    const time = /"eventTime":\s*(\d+)/.exec(text)?.[1]
    if (time !== undefined) times.add(Number(time))
  }
  const expected = count.expected()
  const reasons = new Set(expected.garbage.values())
  assert.deepEqual(
    [...reasons].sort(),
    [
      'bad_time',
      'invalid_utf8',
      'missing_dimension',
      'missing_outcome',
      'missing_time',
      'missing_user',
      'not_an_object',
      'not_json',
      'time_in_future',
    ].sort(),
  )
  assert.ok(repeated > 200)
  assert.ok(times.has(spec.startMs + 3_600_000) && times.has(spec.startMs + 3_599_999))
  const panes = [...expected.panes.values()]
  const sum = (of: (pane: (typeof panes)[number]) => number) =>
    panes.reduce((total, pane) => total + of(pane), 0)
  assert.equal(
    sum((pane) => pane.events),
    expected.counted,
  )
  assert.ok(sum((pane) => pane.kept) < expected.counted)
})

test('late events lie in the first hour and are tagged; closing ones are after the end, one per partition', () => {
  for (const record of lateEvents(spec, 100)) {
    const document = JSON.parse(record.value.toString()) as { eventTime: number; late: boolean }
    assert.ok(document.late)
    assert.ok(document.eventTime >= spec.startMs && document.eventTime < spec.startMs + 3_600_000)
  }
  const closing = [...closingEvents(spec, 7_200_000)]
  assert.deepEqual(
    closing.map((record) => record.partition),
    [0, 1, 2, 3],
  )
  assert.ok(closing.every((record) => timeOf(record) === spec.startMs + spec.spanMs + 7_200_000))
})

function timeOf(record: StreamRecord): number {
  return (JSON.parse(record.value.toString()) as { eventTime: number }).eventTime
}
