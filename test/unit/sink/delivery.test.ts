import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { durationMs } from '../../../src/core/time.ts'
import { pointKey, supersedes } from '../../../src/sink/data-point.ts'
import type { DataPoint } from '../../../src/sink/sink.ts'
import { Life, point, world } from '../../support/delivery-life.ts'
import { type Behaviour, type Fate, MemorySink } from '../../support/memory-sink.ts'
import { settle } from '../../support/virtual-clock.ts'

const hourMs = 3_600_000
const minuteMs = 60_000

const batch = (fate: Fate, options: Partial<Behaviour> = {}): Behaviour => ({
  afterMs: 0,
  failed: fate.kind === 'lost' || fate.kind === 'late',
  fateOf: () => fate,
  ...options,
})

/** Answers of the first batches; all is well after them. */
function script(...behaviours: Behaviour[]): () => Behaviour | undefined {
  return () => behaviours.shift()
}

describe('Delivery', () => {
  it('writes what was committed, in batches by size', async () => {
    const life = new Life(world(), { batchPoints: 100 })
    await life.checkpoint(Array.from({ length: 250 }, (_, i) => point(i, 0)))
    await settle()
    assert.deepEqual(
      life.sink.batches.map((sent) => sent.length),
      [100, 100],
    )
    await life.clock.advance(1_000)
    assert.equal(life.sink.stored.size, 250)
    assert.equal(life.cursor(), life.outbox.visibleEnd)
    assert.equal(life.delivery.health().state, 'ok')
    await life.delivery.stop()
    assert.equal(life.clock.pendingTimers(), 0)
  })

  it('sends nothing that is not durable', async () => {
    const life = new Life(world())
    life.outbox.append([point(1, 0)], life.clock.now())
    await life.clock.advance(hourMs)
    assert.equal(life.sink.batches.length, 0)
    await life.delivery.stop()
  })

  it('sends only the newest of the revisions that wait', async () => {
    const life = new Life(world())
    await life.checkpoint([point(1, 0), point(1, 1)])
    await life.checkpoint([point(1, 2)])
    await life.clock.advance(1_000)
    assert.deepEqual(
      life.sink.batches.flat().map((sent) => sent.revision),
      [2],
    )
    assert.equal(
      life.metrics.value('warden_sink_points_total', { sink: 'memory', outcome: 'coalesced' }),
      2,
    )
    await life.delivery.stop()
  })

  it('holds a newer revision until the older one in flight has its answer', async () => {
    const life = new Life(world(), { batchAgeMs: 0 })
    life.sink.behave = script(batch({ kind: 'written' }, { afterMs: 5_000 }))
    await life.checkpoint([point(1, 0)])
    await life.clock.advance(100)
    await life.checkpoint([point(1, 1), point(2, 0)])
    await life.clock.advance(100)
    assert.deepEqual(
      life.sink.batches.map((sent) => sent.map((one) => one.tags.series)),
      [['1'], ['2']],
    )
    await life.clock.advance(5_000)
    assert.equal(life.sink.stored.get(pointKey(point(1, 1)))?.revision, 1)
    await life.delivery.stop()
  })

  it('ranks a higher incarnation above any revision of a lower one', async () => {
    const life = new Life(world())
    await life.checkpoint([point(1, 9), point(1, 0, { incarnation: 2, value: 7 })])
    await life.clock.advance(1_000)
    assert.equal(life.sink.stored.get(pointKey(point(1, 0)))?.value, 7)
    await life.delivery.stop()
  })

  it('never has more batches in flight than connections', async () => {
    const life = new Life(world(), { batchPoints: 10, connections: 3 })
    life.sink.behave = () => batch({ kind: 'written' }, { afterMs: 50 })
    await life.checkpoint(Array.from({ length: 200 }, (_, i) => point(i, 0)))
    await life.clock.advance(5_000)
    assert.equal(life.sink.maxInFlight, 3)
    assert.equal(life.sink.stored.size, 200)
    await life.delivery.stop()
  })

  it('retries only the points that were not taken', async () => {
    const life = new Life(world())
    life.sink.behave = script({
      afterMs: 0,
      failed: false,
      fateOf: (_, i) => ({ kind: i === 1 ? 'throttled' : 'written' }),
    })
    await life.checkpoint([point(0, 0), point(1, 0), point(2, 0)])
    await life.clock.advance(10_000)
    assert.deepEqual(
      life.sink.batches.map((sent) => sent.length),
      [3, 1],
    )
    assert.equal(life.cursor(), 1)
    await life.delivery.stop()
  })

  it('hands a refused point over with its reason and passes it', async () => {
    const life = new Life(world())
    life.sink.behave = script(batch({ kind: 'refused' }))
    await life.checkpoint([point(1, 0)])
    await life.clock.advance(1_000)
    assert.equal(life.refused.length, 1)
    assert.equal(life.cursor(), 1)
    assert.equal(life.logger.messages('error').length, 1)
    await life.delivery.stop()
  })

  it('logs one line a minute for refusals of one kind', async () => {
    const life = new Life(world())
    life.sink.behave = () => batch({ kind: 'refused' })
    await life.checkpoint(Array.from({ length: 1_000 }, (_, i) => point(i, 0)))
    await life.clock.advance(10_000)
    assert.equal(life.refused.length, 1_000)
    assert.equal(life.logger.messages('error').length, 1)
    await life.delivery.stop()
  })

  it('waits as long as the store asks for', async () => {
    const life = new Life(world())
    life.sink.behave = script(batch({ kind: 'throttled' }, { failed: true, retryAfterMs: 90_000 }))
    await life.checkpoint([point(1, 0)])
    await life.clock.advance(90_000)
    assert.equal(life.sink.batches.length, 1)
    await life.clock.advance(2_000)
    assert.equal(life.sink.stored.size, 1)
    await life.delivery.stop()
  })

  it('gives a store that is away single small probes, and says so once', async () => {
    const life = new Life(world())
    life.sink.behave = () => batch({ kind: 'throttled' }, { failed: true })
    await life.checkpoint(Array.from({ length: 5_000 }, (_, i) => point(i, 0)))
    await life.clock.advance(5 * minuteMs)
    assert.equal(life.delivery.health().state, 'open')
    assert.equal(life.delivery.health().lastError, 'throttled')
    assert.equal(life.metrics.value('warden_sink_circuit_open', { sink: 'memory' }), 1)
    const before = life.sink.batches.length
    await life.clock.advance(10 * minuteMs)
    const probes = life.sink.batches.slice(before)
    assert.ok(probes.length >= 20 && probes.length <= 80, `${probes.length} probes`)
    assert.ok(probes.every((sent) => sent.length <= 50))
    assert.equal(
      life.logger.messages('warn').filter((line) => line.includes('takes no points')).length,
      1,
    )
    life.sink.behave = () => undefined
    await life.clock.advance(minuteMs)
    assert.equal(life.sink.stored.size, 5_000)
    assert.equal(life.delivery.health().state, 'ok')
    assert.equal(life.logger.messages('info').length, 1)
    await life.delivery.stop()
  })

  it('sends a point of unknown outcome again at once, and once more when the store was well for the settling time', async () => {
    const life = new Life(world())
    life.sink.behave = script(batch({ kind: 'late', lateMs: 60_000 }))
    await life.checkpoint([point(1, 0)])
    await life.clock.advance(10_000)
    assert.equal(life.sink.batches.length, 2, 'retried at once')
    assert.equal(life.delivery.writtenThrough(), 1)
    assert.equal(life.delivery.health().oldestUnwrittenAt, undefined)
    assert.equal(life.cursor(), 0, 'the cursor waits')
    await life.checkpoint([point(1, 1)])
    await life.clock.advance(60_000)
    assert.equal(
      life.sink.stored.get(pointKey(point(1, 0)))?.revision,
      0,
      'the old one landed late',
    )
    await life.clock.advance(180_000)
    assert.equal(life.sink.stored.get(pointKey(point(1, 0)))?.revision, 1)
    assert.equal(life.cursor(), 2)
    await life.delivery.stop()
  })

  it('drains everything, settling included, and says false when that takes too long', async () => {
    const life = new Life(world())
    life.sink.behave = script(batch({ kind: 'late', lateMs: 5_000 }))
    await life.checkpoint([point(1, 0)])
    const early = life.delivery.drain(60_000)
    const written = life.delivery.drain(60_000, 'written')
    await life.clock.advance(60_000)
    assert.equal(await written, true)
    assert.equal(await early, false)
    const late = life.delivery.drain(300_000)
    await life.clock.advance(100_000)
    assert.equal(await late, true)
    await life.delivery.stop()
    assert.equal(life.clock.pendingTimers(), 0)
  })

  it('keeps little in memory however much waits', async () => {
    const life = new Life(world(), { maxUnwritten: 1_000, maxInMemory: 2_000 })
    life.sink.behave = () => batch({ kind: 'throttled' }, { failed: true })
    for (let i = 0; i < 20; i++) {
      await life.checkpoint(Array.from({ length: 500 }, (_, j) => point(i * 500 + j, 0)))
    }
    await life.clock.advance(minuteMs)
    assert.equal(life.delivery.health().depth, 10_000)
    assert.ok(life.delivery.inMemory() <= 1_500, `${life.delivery.inMemory()}`)
    life.sink.behave = () => undefined
    await life.clock.advance(10 * minuteMs)
    assert.equal(life.sink.stored.size, 10_000)
    await life.delivery.stop()
  })

  it('stops, and tells so, when the outbox is damaged', async () => {
    const life = new Life(world())
    const [put] = life.outbox.append([point(1, 0)], life.clock.now()).slice(-1)
    assert.ok(put?.kind === 'put')
    const value = put.value.slice()
    value[20] = (value[20] ?? 0) ^ 1
    await life.store.commit([{ ...put, value }])
    life.outbox.committed()
    assert.match(life.broken[0]?.message ?? '', /outbox\/0+ can't be read: the checksum/)
    assert.equal(life.delivery.health().state, 'stopped')
  })

  it('survives an outage of five hours and drains by itself', async () => {
    const places = world()
    const life = new Life(places)
    const hours = 5
    const lag = { now: 0 }
    life.sink.behave = () =>
      batch({ kind: lag.now++ % 3 === 0 ? 'late' : 'lost', lateMs: 90_000 } as Fate, {
        afterMs: 30_000,
      })
    const expected = new Map<string, DataPoint>()
    for (let minute = 0; minute < hours * 60; minute++) {
      const timestamp = 1_735_689_600 + Math.floor(minute / 60) * 3600
      const points = Array.from({ length: 100 }, (_, i) =>
        point(i, minute % 60, { timestamp, value: minute }),
      )
      for (const one of points) expected.set(pointKey(one), one)
      await life.checkpoint(points)
      await life.clock.advance(minuteMs)
    }
    const oldest =
      life.metrics.value('warden_oldest_unwritten_pane_seconds', { sink: 'memory' }) ?? 0
    assert.ok(oldest > 4.9 * 3600, `${oldest}`)
    assert.equal(life.delivery.health().depth, 30_000)
    life.sink.behave = () => undefined
    for (let i = 0; i < 10; i++) {
      await life.clock.advance(minuteMs)
      await life.checkpoint()
    }
    assert.deepEqual(life.sink.stored, expected)
    assert.equal(life.delivery.health().depth, 0)
    assert.equal([...life.store.range('outbox/', 'outbox0')].length, 0)
    await life.delivery.stop()
  })

  it('leaves the newest revision of every point in the store, whatever fails, lands late or is killed', async () => {
    const late = { settleMs: 60_000, maxLateMs: 59_000 }
    const fate: fc.Arbitrary<Fate> = fc.oneof(
      { weight: 4, arbitrary: fc.constant<Fate>({ kind: 'written' }) },
      fc.constant<Fate>({ kind: 'throttled' }),
      fc.constant<Fate>({ kind: 'lost' }),
      {
        weight: 3,
        arbitrary: fc
          .integer({ min: 0, max: late.maxLateMs })
          .map((lateMs): Fate => ({ kind: 'late', lateMs })),
      },
    )
    const behaviour = fc.record({
      afterMs: fc.integer({ min: 0, max: 20_000 }),
      failed: fc.boolean(),
      fates: fc.array(fate, { minLength: 1, maxLength: 4 }),
    })
    const step = fc.oneof(
      {
        weight: 5,
        arbitrary: fc.record({
          kind: fc.constant('append' as const),
          series: fc.array(fc.nat(4), { minLength: 1, maxLength: 4 }),
        }),
      },
      {
        weight: 3,
        arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.nat(90_000) }),
      },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('checkpoint' as const) }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('kill' as const) }) },
    )
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 25 }),
        fc.array(behaviour, { maxLength: 25 }),
        fc.infiniteStream(fc.double({ min: 0, max: 0.999, noNaN: true })),
        async (steps, behaviours, randoms) => {
          const places = world()
          const random = () => randoms.next().value ?? 0
          const settings = {
            settleMs: late.settleMs,
            batchPoints: 3,
            connections: 2,
            failuresToOpen: 3,
            maxUnwritten: 6,
            maxInMemory: 12,
            backoff: { initialMs: durationMs(100), maxMs: durationMs(5_000) },
          }
          const left = [...behaviours]
          const bindBehaviour = (sink: MemorySink) => {
            sink.behave = () => {
              const next = left.shift()
              return (
                next && {
                  ...next,
                  fateOf: (_, i) => {
                    const own = next.fates[i % next.fates.length] ?? { kind: 'written' }
                    // A batch that failed as a whole has no point that is known to be written.
                    return next.failed && own.kind === 'written' ? { kind: 'late', lateMs: 0 } : own
                  },
                }
              )
            }
          }
          bindBehaviour(places.sink)
          let life = new Life(places, settings, random)
          const revisions = new Map<number, number>()
          const expected = new Map<string, DataPoint>()
          for (const one of steps) {
            if (one.kind === 'wait') await life.clock.advance(one.ms)
            if (one.kind === 'checkpoint') await life.checkpoint()
            if (one.kind === 'append') {
              const points = one.series.map((series) => {
                const revision = (revisions.get(series) ?? -1) + 1
                revisions.set(series, revision)
                return point(series, revision)
              })
              for (const each of points) expected.set(pointKey(each), each)
              await life.checkpoint(points)
            }
            if (one.kind === 'kill') {
              // What the dead process had in flight ends in the store as it likes: nobody hears the answer.
              void life.delivery.stop()
              await settle()
              places.sink = new MemorySink(places.clock, 'memory', places.sink.disk)
              bindBehaviour(places.sink)
              life = new Life(places, settings, random)
            }
          }
          left.length = Math.min(left.length, 3)
          const drained = life.delivery.drain(hourMs)
          while (!life.settled()) await life.clock.advance(10_000)
          assert.equal(await drained, true)
          assert.deepEqual(sorted(life.sink.stored), sorted(expected))
          assert.deepEqual(life.broken, [])
          await life.delivery.stop()
        },
      ),
      { numRuns: 200 },
    )
  })
})

const sorted = (points: ReadonlyMap<string, DataPoint>) =>
  [...points].sort(([a], [b]) => (a < b ? -1 : 1))

describe('supersedes', () => {
  it('orders by incarnation, then revision', () => {
    assert.ok(supersedes(point(1, 0, { incarnation: 2 }), point(1, 5)))
    assert.ok(!supersedes(point(1, 5), point(1, 0, { incarnation: 2 })))
    assert.ok(supersedes(point(1, 1), point(1, 1)))
  })
})
