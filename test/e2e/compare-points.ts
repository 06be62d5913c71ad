/** What Warden wrote against what brute force says, every point of it. */
import assert from 'node:assert/strict'
import { totalOf, type WardenHome } from '../support/warden-process.ts'
import type { Expected } from './brute-force.ts'
import { sidePositions } from './lending-job.ts'
import { pointKey } from './read-opentsdb.ts'

const hourMs = 3_600_000
/** Of the watermark. */
const outOfOrdernessMs = 20_000
const shown = 10

/** Every point of the windows that are closed when all partitions have been read. */
export function expectedPoints(expected: Expected, prefix: string): Map<string, number> {
  const watermark = Math.min(...expected.maxTime.values()) - outOfOrdernessMs - 1
  const points = new Map<string, number>()
  for (const { windowStart, dims, kept, events, users, rate } of expected.panes.values()) {
    if (watermark < windowStart + hourMs - 1) continue
    const values = { count: kept, events, users, rate }
    for (const [name, value] of Object.entries(values)) {
      points.set(pointKey(`${prefix}loan.${name}`, dims, windowStart / 1000), value)
    }
  }
  return points
}

/** No point missing, none too many, every value the very same. @returns how many there are */
export function assertSamePoints(
  stored: ReadonlyMap<string, number>,
  expected: ReadonlyMap<string, number>,
): number {
  const wrong: string[] = []
  for (const [key, value] of expected) {
    const found = stored.get(key)
    if (found === undefined) wrong.push(`missing: ${key} ${value}`)
    else if (found !== value) wrong.push(`${key} is ${found}, not ${value}`)
  }
  for (const [key, value] of stored) {
    if (!expected.has(key)) wrong.push(`too many: ${key} ${value}`)
  }
  const more = wrong.length > shown ? `\n… ${wrong.length} of ${expected.size} points` : ''
  assert.ok(wrong.length === 0, wrong.slice(0, shown).join('\n') + more)
  assert.ok(expected.size > 0, 'no window closed')
  return expected.size
}

/**
 * Every record was counted, was late, or is a dead letter, and only one of them; so say the two files, each position once,
 * and so say the metrics.
 */
export function assertEveryRecordOnce(
  home: WardenHome,
  figures: ReadonlyMap<string, number>,
  expected: Expected,
): void {
  const dead = sidePositions(home, 'dead-letters')
  const late = sidePositions(home, 'late-events')
  assertSamePositions('dead letters', dead.positions, expected.garbage.keys())
  assertSamePositions('late events', late.positions, expected.late)
  assert.deepEqual(Object.keys(late.reasons), expected.late.size > 0 ? ['late'] : [])

  const told = {
    records: totalOf(figures, 'warden_records_total'),
    dead: totalOf(figures, 'warden_dead_letters_total'),
    late: totalOf(figures, 'warden_late_events_total'),
    rows: totalOf(figures, 'warden_rows_total'),
  }
  assert.deepEqual(told, {
    records: expected.records,
    dead: expected.garbage.size,
    late: expected.late.size,
    rows: expected.counted + expected.late.size,
  })
  for (const [reason, count] of Object.entries(dead.reasons)) {
    const key = `warden_dead_letters_total{source="orders",reason="${reason}"}`
    assert.equal(figures.get(key), count, key)
  }
}

function assertSamePositions(
  what: string,
  found: readonly string[],
  expected: Iterable<string>,
): void {
  const wanted = new Set(expected)
  const once = new Set(found)
  const twice = found.filter((one, i) => found[i - 1] === one)
  const missing = [...wanted].filter((one) => !once.has(one))
  const extra = [...once].filter((one) => !wanted.has(one))
  const lists = { twice, missing, extra }
  const text = Object.entries(lists).map(
    ([name, list]) => `${list.length} ${name}: ${list.slice(0, shown).join(' ')}`,
  )
  const bad = twice.length + missing.length + extra.length
  assert.ok(bad === 0, `${what}, by partition-offset: ${text.join('; ')}`)
}
