import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { epochMs } from '../../../src/core/time.ts'
import {
  LendingEvents,
  type LendingPlan,
  maxSliceBytes,
} from '../../../src/ingest/lending-events.ts'

const start = epochMs(Date.UTC(2025, 2, 10, 1))
const plan: LendingPlan = { seed: 7, start, eventsPerSecond: 1.5, users: 20_000, partitions: 1 }

interface Line {
  readonly arrival: number
  readonly key: string
  readonly text: string
  readonly event: Record<string, unknown> | undefined
}

function lines(of: LendingPlan, slices: number, partition = 0): Line[] {
  const events = new LendingEvents(of, partition)
  const all: Line[] = []
  for (let at = 0; at < slices; at += 1) {
    const slice = events.slice(at)
    for (let i = 0; i < slice.count; i += 1) {
      const text = slice.bytes.toString('utf8', slice.ends[i - 1] ?? 0, (slice.ends[i] ?? 0) - 1)
      const event = parsed(text)
      all.push({ arrival: slice.arrivals[i] ?? 0, key: slice.keys[i] ?? '', text, event })
    }
  }
  return all
}

function parsed(text: string): Record<string, unknown> | undefined {
  try {
    const document = JSON.parse(text)
    return typeof document.eventTime === 'number' && typeof document.userId === 'string'
      ? document
      : undefined
  } catch {
    return undefined
  }
}

const hourMs = 3_600_000
const day = lines(plan, 24 * 60)

describe('lending events', () => {
  it('are the same for the same plan, whatever was generated before, and others for another seed', () => {
    const again = new LendingEvents(plan, 0)
    const forward = [3, 4, 5].map((n) => again.slice(n).bytes)
    const fresh = new LendingEvents(plan, 0)
    const backward = [5, 4, 3].map((n) => fresh.slice(n).bytes)
    assert.deepEqual(forward, backward.reverse())
    assert.notDeepEqual(new LendingEvents({ ...plan, seed: 8 }, 0).slice(3).bytes, forward[0])
  })

  it('come at the planned rate over a day, and more by day than by night', () => {
    const second = new LendingEvents(plan, 0)
    let count = 0
    for (let at = 24 * 60; at < 48 * 60; at += 1) count += second.slice(at).count
    const ratio = count / (24 * 3600 * plan.eventsPerSecond)
    assert.ok(ratio > 0.97 && ratio < 1.03, `${ratio} of the plan`)
    const inHour = (hour: number) =>
      day.filter((each) => (Math.floor(each.arrival / hourMs) + 8) % 24 === hour).length
    assert.ok(inHour(10) > 4 * inHour(3))
  })

  it('arrive in order, less than 20 s after they happened but for a few, never before the start', () => {
    let newest = 0
    let late = 0
    let beyondLateness = 0
    for (const [i, { arrival, event }] of day.entries()) {
      assert.ok(i === 0 || arrival >= (day[i - 1]?.arrival ?? 0))
      const time = Number(event?.eventTime ?? Number.NaN)
      if (!(time > Date.UTC(2025) && time < Date.UTC(2026))) continue
      assert.ok(time >= start && time <= arrival)
      if (time < newest - 20_000) late += 1
      // Its hour ended more than 10 min before the watermark: gone for every hourly window.
      if ((Math.floor(time / hourMs) + 1) * hourMs + 600_000 <= newest - 20_000) beyondLateness += 1
      newest = Math.max(newest, time)
    }
    assert.ok(late > day.length * 0.0002 && late < day.length * 0.0008, `${late} late`)
    assert.ok(beyondLateness > day.length * 0.0001, `${beyondLateness} beyond the lateness`)
  })

  it('hold about one line of garbage in a thousand', () => {
    const garbage = day.filter((each) => {
      const { event } = each
      const time = Number(event?.eventTime)
      return event === undefined || event.bizLine === undefined || time < 1 || time > 4e12
    })
    assert.ok(garbage.length > day.length * 0.0005 && garbage.length < day.length * 0.0015)
    assert.ok(day.every((each) => !each.text.includes('\n') && each.text.length > 1))
  })

  it('tell of users who fail, try again mostly within the hour, and succeed', () => {
    const byUser = new Map<string, Line[]>()
    for (const each of day) {
      if (each.event?.event !== 'apply') continue
      const key = `${each.key} ${each.event.product} ${String(each.event.orderId).replace(/-\d$/, '')}`
      byUser.set(key, [...(byUser.get(key) ?? []), each])
    }
    let recovered = 0
    let sameHour = 0
    for (const tries of byUser.values()) {
      assert.ok(tries.length <= 4)
      const success = tries.findIndex((each) => each.event?.status === 'success')
      if (success < 1) continue
      assert.equal(success, tries.length - 1, 'nobody applies again after a success')
      recovered += 1
      const hours = tries.map((each) => Math.floor(each.arrival / hourMs))
      if (new Set(hours).size === 1) sameHour += 1
    }
    assert.ok(recovered > byUser.size * 0.15, `${recovered} of ${byUser.size} succeeded later`)
    assert.ok(sameHour > recovered * 0.85)
    const events = new Set(day.map((each) => each.event?.event))
    for (const event of ['apply', 'loan', 'repay']) assert.ok(events.has(event))
    assert.ok(new Set(day.map((each) => each.event?.bizLine)).size >= 4)
    assert.match(day.map((each) => each.event?.city).join(''), /上海/)
  })

  it('keep a user in one partition, and carry the user as key', () => {
    const split = { ...plan, partitions: 3 }
    const users = [0, 1, 2].map((each) => new Set(lines(split, 40, each).map((line) => line.key)))
    const [a = new Set(), b = new Set(), c = new Set()] = users
    assert.ok([...a].every((user) => !b.has(user) && !c.has(user)))
    assert.ok(day.every((each) => each.event === undefined || each.event.userId === each.key))
  })

  it('never fill a slice to its bound', () => {
    const most = new LendingEvents(
      { ...plan, start: epochMs(Date.UTC(2025, 0, 2, 2)), eventsPerSecond: 2e6 },
      0,
    )
    assert.ok(most.slice(0).bytes.length * 1.5 < maxSliceBytes)
  })
})
