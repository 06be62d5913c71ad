import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { epochMs } from '../../../src/core/time.ts'
import {
  GeneratorSource,
  type GeneratorSourceOptions,
} from '../../../src/ingest/generator-source.ts'
import { LendingEvents } from '../../../src/ingest/lending-events.ts'
import { SystemClock } from '../../../src/system-clock.ts'
import { lineRecords, nextBatch, positionsOf, sourceContract } from '../../contract/source.ts'
import { RecordingLogger } from '../../support/recording-logger.ts'
import { RecordingMetrics } from '../../support/recording-metrics.ts'
import { settle, VirtualClock } from '../../support/virtual-clock.ts'

const start = epochMs(Date.UTC(2025, 0, 1))
const options: GeneratorSourceOptions = {
  name: 'demo',
  rate: 500,
  speed: 100,
  seed: 3,
  users: 1000,
  start,
}

const telemetry = <C>(clock: C) => ({
  clock,
  logger: new RecordingLogger(),
  metrics: new RecordingMetrics(),
})

for (const partitions of [1, 3])
  sourceContract(`generator source (${partitions} partitions)`, {
    async medium(records) {
      const limit = records
      const plan = { ...options, partitions, eventsPerSecond: options.rate / options.speed, start }
      const expected = new Map<string, string[]>()
      for (let i = 0; i < partitions; i += 1) {
        const lines: string[] = []
        const events = new LendingEvents(plan, i)
        const share = Math.floor(limit / partitions) + (i < limit % partitions ? 1 : 0)
        for (const slice of events.from(0)) {
          lines.push(...slice.bytes.toString().split('\n').slice(0, slice.count))
          if (lines.length >= share) break
        }
        expected.set(String(i), lines.slice(0, share))
      }
      const bounded = { ...options, partitions, limit, paced: false, batchBytes: 4000 }
      return {
        expected,
        source: () => new GeneratorSource(bounded, telemetry(new SystemClock())),
        dispose: async () => {},
      }
    },
  })

/** Takes all that is due. */
function drain(source: GeneratorSource): string[] {
  const read: string[] = []
  for (let batch = source.take(); batch !== undefined; batch = source.take())
    read.push(...lineRecords(batch).map((each) => each.value))
  return read
}

describe('generator source', () => {
  it('lets event time pass at its speed', async () => {
    const clock = new VirtualClock(Date.UTC(2025, 5, 1))
    const source = new GeneratorSource(
      { ...options, start: epochMs(Date.UTC(2025, 0, 1, 2)) },
      telemetry(clock),
    )
    await source.open(new Map())
    let count = 0
    for (let i = 0; i < 100; i += 1) {
      await clock.advance(100)
      count += drain(source).length
    }
    assert.ok(
      count > 10 * options.rate * 1.1 && count < 10 * options.rate * 1.8,
      `${count} in 10 s of the tenth hour in China`,
    )
    assert.notEqual(source.partitions()[0]?.caughtUpAt, undefined)
    await source.close()
  })

  it('wakes its reader when the next event is due', async () => {
    const clock = new VirtualClock(Date.UTC(2025, 5, 1))
    const source = new GeneratorSource(options, telemetry(clock))
    await source.open(new Map())
    drain(source)
    let woken = false
    const waiting = source.ready(new AbortController().signal).then(() => {
      woken = true
    })
    await settle()
    assert.equal(woken, false)
    await clock.advance(1000)
    await waiting
    assert.ok(drain(source).length > 0)
    assert.equal(clock.pendingTimers(), 0)
  })

  it('goes on in event time where it was, however long it was down, under the plan of the checkpoint', async () => {
    const clock = new VirtualClock(Date.UTC(2025, 5, 1))
    const { start: _, ...unset } = options
    const first = new GeneratorSource(unset, telemetry(clock))
    await first.open(new Map())
    await clock.advance(5000)
    const before = drain(first)
    const positions = positionsOf(first)
    await clock.advance(3 * 3_600_000)
    const parts = telemetry(clock)
    const second = new GeneratorSource({ ...unset, seed: 99 }, parts)
    await second.open(positions)
    assert.equal(parts.logger.messages('warn').length, 1)
    await clock.advance(5000)
    const after = drain(second)

    const undisturbed = new VirtualClock(Date.UTC(2025, 5, 1))
    const whole = new GeneratorSource(unset, telemetry(undisturbed))
    await whole.open(new Map())
    await undisturbed.advance(20_000)
    const expected = drain(whole)
    assert.ok(after.length > 0)
    assert.deepEqual([...before, ...after], expected.slice(0, before.length + after.length))
  })

  it('slows to real time when event time meets the wall clock', async () => {
    const clock = new VirtualClock(start + 60_000)
    const source = new GeneratorSource({ ...options, rate: 1000, speed: 1000 }, telemetry(clock))
    await source.open(new Map())
    await clock.advance(1000)
    drain(source)
    assert.notEqual(source.partitions()[0]?.caughtUpAt, undefined)
    let seen = 0
    for (let i = 0; i < 60; i += 1) {
      await clock.advance(1000)
      const arrived = drain(source)
      seen += arrived.length
      for (const line of arrived) {
        const time = Number(/"eventTime":(\d+)/.exec(line)?.[1] ?? 0)
        assert.ok(time <= clock.now() || time > 4e12)
      }
    }
    assert.ok(seen < 200, `${seen} events in a minute at 1 a second`)
  })

  it('refuses a checkpoint of another generator', async () => {
    const source = new GeneratorSource(options, telemetry(new VirtualClock()))
    const positions = new Map([['0', { offset: 0, identity: '["lending-0",1]' }]])
    await assert.rejects(source.open(positions), { code: 'state_incompatible' })
  })

  it('refuses a rate that no slice could hold', () => {
    assert.throws(
      () => new GeneratorSource({ ...options, rate: 1e9, speed: 1 }, telemetry(new VirtualClock())),
      {
        code: 'config_invalid',
      },
    )
  })

  it('ends at its limit', async () => {
    const source = new GeneratorSource(
      { ...options, limit: 10, paced: false },
      telemetry(new SystemClock()),
    )
    await source.open(new Map())
    let count = 0
    for (let batch = await nextBatch(source); batch !== undefined; batch = await nextBatch(source))
      count += lineRecords(batch).length
    assert.equal(count, 10)
    assert.equal(source.bounded, true)
  })
})
