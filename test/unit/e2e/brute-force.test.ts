import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import {
  BruteForce,
  countFiles,
  type Expected,
  lendingMapping,
  type Mapping,
  paneKey,
} from '../../e2e/brute-force.ts'
import { pointKey } from '../../e2e/read-opentsdb.ts'

const hour = Date.UTC(2026, 0, 5, 10)

function event(minutes: number, user: string, status: string, bizLine = 'cash'): string {
  return JSON.stringify({ eventTime: hour + minutes * 60_000, userId: user, status, bizLine })
}

function counted(lines: readonly string[], mapping: Mapping = lendingMapping): Expected {
  const count = new BruteForce(mapping)
  for (const [offset, line] of lines.entries()) {
    count.add({ partition: 0, offset, timestamp: 0, value: Buffer.from(line) })
  }
  return count.expected()
}

test('a user counts once per window and line, with the best outcome', () => {
  const { panes } = counted([
    event(1, 'a', 'success'),
    event(2, 'a', 'fail'),
    event(3, 'b', 'fail'),
    event(4, 'b', 'success'),
    event(5, 'c', 'fail'),
    event(5, 'c', 'fail', 'car'),
    event(60, 'c', 'pending'),
  ])
  assert.equal(panes.size, 3)
  assert.deepEqual(panes.get(paneKey(hour, ['cash'])), {
    windowStart: hour,
    dims: { bizLine: 'cash' },
    events: 5,
    kept: 3,
    users: 3,
    success: 2,
    rate: 2 / 3,
    outcomes: { success: 2, fail: 1 },
  })
  assert.equal(panes.get(paneKey(hour, ['car']))?.events, 1)
  assert.deepEqual(panes.get(paneKey(hour + 3_600_000, ['cash']))?.outcomes, { pending: 1 })
})

test('first and last go by event time, not by arrival; at the same time the better outcome counts', () => {
  const lines = [
    event(5, 'a', 'fail'),
    event(1, 'a', 'success'),
    event(9, 'b', 'fail'),
    event(9, 'b', 'success'),
    event(9, 'b', 'fail'),
    event(2, 'b', 'pending'),
  ]
  const outcomes = (keep: Mapping['keep']) =>
    counted(lines, { ...lendingMapping, keep }).panes.get(paneKey(hour, ['cash']))?.outcomes
  assert.deepEqual(outcomes('first'), { success: 1, pending: 1 })
  assert.deepEqual(outcomes('last'), { fail: 1, success: 1 })
  assert.deepEqual(outcomes(undefined), { fail: 3, success: 2, pending: 1 })
})

test('every record has one fate', () => {
  const ok = event(1, 'a', 'success')
  const expected = counted(
    [
      ok,
      ok.replace('{', '{"late":true,'),
      ok.replace('"a"', '""'),
      ok.slice(0, -1),
      '[]',
      ok.replace('cash', 'car'),
      ok.replace(String(hour + 60_000), '"soon"'),
      ok.replace(String(hour + 60_000), '631152000000'),
    ],
    { ...lendingMapping, where: { bizLine: 'cash' } },
  )
  assert.equal(expected.records, 8)
  assert.equal(expected.counted, 1)
  assert.equal(expected.filtered, 1)
  assert.deepEqual([...expected.late], ['0-1'])
  assert.deepEqual(
    [...expected.garbage],
    [
      ['0-2', 'missing_user'],
      ['0-3', 'not_json'],
      ['0-4', 'not_an_object'],
      ['0-6', 'bad_time'],
      ['0-7', 'time_too_old'],
    ],
  )
  assert.equal(expected.maxTime.get(0), hour + 60_000)
})

test('a file is counted line by line, the last one also without a line break', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'warden-brute-force-'))
  try {
    const file = join(directory, 'events.jsonl')
    const first = event(1, 'a', 'success')
    await writeFile(file, `${first}\n\nbroken\n${event(1, '李', 'success')}`)
    const expected = await countFiles([file])
    assert.equal(expected.records, 3)
    assert.deepEqual([...expected.garbage], [[`0-${first.length + 2}`, 'not_json']])
    assert.equal(expected.panes.get(paneKey(hour, ['cash']))?.kept, 2)
  } finally {
    await rm(directory, { recursive: true })
  }
})

test('the key of a point names its tags in order', () => {
  assert.equal(pointKey('m', { b: '2', a: '1' }, 60), 'm{a=1,b=2}@60')
})
