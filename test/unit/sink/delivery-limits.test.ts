import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { Outbox } from '../../../src/sink/outbox.ts'
import { LmdbStateStore } from '../../../src/state/lmdb-state-store.ts'
import { Life, point, world } from '../../support/delivery-life.ts'
import type { Behaviour } from '../../support/memory-sink.ts'

const minuteMs = 60_000
const labels = { sink: 'memory' }
const series = (count: number, from = 0, revision = 0) =>
  Array.from({ length: count }, (_, i) => point(from + i, revision))

const away: Behaviour = {
  afterMs: 100,
  failed: true,
  fateOf: () => ({ kind: 'throttled' }),
}

describe('what a delivery asks of a store, and keeps for it', () => {
  it('never sends more points per second than it may', async () => {
    const life = new Life(world(), { batchPoints: 50, maxRate: 100, batchAgeMs: 0 })
    await life.checkpoint(series(1_000))
    await life.clock.advance(5_000)
    const sent = life.sink.batches.flat().length
    assert.ok(sent >= 450 && sent <= 550, `${sent} in 5 s`)
    await life.clock.advance(6_000)
    assert.equal(life.sink.stored.size, 1_000)
    await life.delivery.stop()
  })

  it('asks less of a store that gets slow, until it is quick again', async () => {
    const life = new Life(world(), { batchPoints: 100, connections: 4, slowMs: 2_000 })
    life.sink.behave = () => ({
      afterMs: 3_000,
      failed: false,
      fateOf: () => ({ kind: 'written' }),
    })
    await life.checkpoint(series(3_000))
    await life.clock.advance(10_000)
    assert.deepEqual(life.delivery.health().allowed, { concurrency: 1, batchPoints: 50 })
    assert.equal(life.delivery.health().state, 'ok')
    assert.equal(life.metrics.value('warden_sink_concurrency', labels), 1)
    life.sink.behave = () => undefined
    await life.clock.advance(10_000)
    assert.deepEqual(life.delivery.health().allowed, { concurrency: 4, batchPoints: 100 })
    assert.equal(life.sink.stored.size, 3_000)
    await life.delivery.stop()
  })

  it('sends of a backlog that it finds on the disk the newest revisions only, also of points that come again much later', async () => {
    const { clock, sink } = world()
    const directory = mkdtempSync(join(tmpdir(), 'warden-backlog-'))
    try {
      const store = new LmdbStateStore(directory)
      const before = new Life({ clock, sink, store }, { settleMs: 0, maxUnwritten: 700 })
      sink.behave = () => away
      const revisions = 12
      for (let revision = 0; revision < revisions; revision++) {
        await before.checkpoint(series(600, 0, revision))
        await clock.advance(minuteMs)
      }
      await before.delivery.stop()
      await store.close()
      sink.batches.length = 0
      sink.behave = () => undefined

      const found = new LmdbStateStore(directory)
      const life = new Life({ clock, sink, store: found }, { settleMs: 0, maxUnwritten: 700 })
      assert.equal(life.delivery.health().depth, 600 * revisions)
      while (!life.settled()) await clock.advance(1_000)
      const sent = sink.batches.flat()
      assert.equal(sent.length, 600)
      assert.ok(sent.every(({ revision }) => revision === revisions - 1))
      const coalesced = life.metrics.value('warden_sink_points_total', {
        ...labels,
        outcome: 'coalesced',
      })
      assert.equal(coalesced, 600 * (revisions - 1))
      await life.delivery.stop()
      await found.close()
    } finally {
      rmSync(directory, { recursive: true })
    }
  })

  it('counts each change of the circuit', async () => {
    const life = new Life(world())
    life.sink.behave = () => away
    await life.checkpoint(series(10))
    await life.clock.advance(5 * minuteMs)
    life.sink.behave = () => undefined
    await life.clock.advance(minuteMs)
    const changes = (to: string) =>
      life.metrics.value('warden_sink_circuit_changes_total', { ...labels, to }) ?? 0
    assert.equal(changes('closed'), 1)
    assert.ok(changes('half-open') > 3)
    assert.equal(changes('open'), changes('half-open'))
    await life.delivery.stop()
  })

  it('shows how fast a backlog drains, and when it is over', async () => {
    const life = new Life(world(), { batchPoints: 100, connections: 1, maxUnwritten: 500 })
    life.sink.behave = () => away
    await life.checkpoint(series(10_000))
    await life.clock.advance(minuteMs)
    assert.deepEqual(life.delivery.health().drain, { pointsPerSecond: 0, secondsLeft: undefined })
    assert.equal(
      life.metrics.value('warden_sink_drain_eta_seconds', labels),
      Number.POSITIVE_INFINITY,
    )
    const bytes = life.metrics.value('warden_sink_backlog_bytes', labels) ?? 0
    assert.ok(bytes > 10_000 && bytes < 400_000, `${bytes}`)
    life.sink.behave = () => ({
      afterMs: 1_000,
      failed: false,
      fateOf: () => ({ kind: 'written' }),
    })
    await life.clock.advance(70_000)
    const { pointsPerSecond, secondsLeft } = life.delivery.health().drain
    assert.ok(pointsPerSecond > 70 && pointsPerSecond < 110, `${pointsPerSecond}`)
    const left = life.delivery.health().depth
    assert.ok(Math.abs((secondsLeft ?? 0) - left / pointsPerSecond) < 1)
    await life.clock.advance(3 * minuteMs)
    assert.equal(life.delivery.health().drain.secondsLeft, 0)
    await life.delivery.stop()
  })

  it('says for alerts that nobody knows yet whether the sink takes points, until an attempt has an outcome', async () => {
    const life = new Life(world())
    assert.equal(life.delivery.evidence().untried, undefined, 'nothing waits')
    const lost = { kind: 'lost' } as const
    const hangs = { afterMs: 10 * minuteMs, failed: true, fateOf: () => lost }
    life.sink.behave = () => hangs
    await life.checkpoint(series(1))
    await life.clock.advance(minuteMs)
    assert.equal(life.delivery.evidence().untried, true)
    life.sink.behave = () => away
    await life.clock.advance(20 * minuteMs)
    const { untried, lastError } = life.delivery.evidence()
    assert.deepEqual([untried, lastError === undefined], [undefined, false])
    await life.delivery.stop()
  })

  it('says for alerts what waits, since when, and from which window on', async () => {
    const life = new Life(world(), { maxUnwritten: 500 })
    const written = life.delivery.evidence()
    assert.deepEqual(written, {
      name: 'memory',
      waiting: 0,
      oldestWaitingMs: undefined,
      oldestUnwritten: undefined,
      lastError: undefined,
    })
    life.sink.behave = () => away
    await life.checkpoint(series(600))
    await life.clock.advance(minuteMs)
    // A late pane of an older window, far behind in the outbox.
    await life.checkpoint([point(1, 1, { timestamp: 1_735_600_000 })])
    const evidence = life.delivery.evidence(3_600_000)
    assert.equal(evidence.waiting, 601)
    assert.equal(evidence.oldestWaitingMs, minuteMs)
    assert.equal(evidence.oldestUnwritten, 1_735_600_000_000 - 3_600_000)
    assert.equal(evidence.lastError, 'throttled')
    life.sink.behave = () => undefined
    await life.clock.advance(2 * minuteMs)
    assert.deepEqual(life.delivery.evidence(), written)
    await life.delivery.stop()
  })

  it('drops the oldest of a backlog beyond its bound, counts what is lost, and goes on with the rest', async () => {
    const life = new Life(world(), { maxBacklogBytes: 20_000, settleMs: 10_000 })
    life.sink.behave = () => away
    for (let i = 0; i < 20; i++) {
      await life.checkpoint(series(100, i * 100))
      await life.clock.advance(1_000)
    }
    const { bytes, depth } = life.delivery.health()
    assert.ok(bytes <= 20_000 && depth < 2_000, `${bytes} bytes, ${depth} points`)
    life.sink.behave = () => undefined
    await life.clock.advance(5 * minuteMs)
    const dropped =
      life.metrics.value('warden_sink_points_total', { ...labels, outcome: 'dropped' }) ?? 0
    assert.ok(dropped > 0)
    assert.equal(life.sink.stored.size + dropped, 2_000)
    const kept = [...life.sink.stored.values()].map((one) => Number(one.tags.series))
    assert.equal(Math.max(...kept), 1_999)
    assert.equal(life.cursor(), life.outbox.visibleEnd)
    assert.match(life.logger.messages('error').join(), /oldest \d+ points are dropped/)
    await life.checkpoint()
    assert.equal([...life.store.range('outbox/', 'outbox0')].length, 0)
    await life.delivery.stop()
    assert.equal(life.clock.pendingTimers(), 0)
  })

  it('keeps a dropped point that a younger entry brings anew', async () => {
    const life = new Life(world(), { maxBacklogBytes: 8_000 })
    life.sink.behave = () => away
    for (let revision = 0; revision < 10; revision++) {
      await life.checkpoint([...series(50, 0, revision), ...series(50, 1_000 + revision * 50)])
    }
    life.sink.behave = () => undefined
    await life.clock.advance(5 * minuteMs)
    for (let i = 0; i < 50; i++) {
      const [newest] = [...life.sink.stored.values()].filter((one) => one.tags.series === String(i))
      assert.equal(newest?.revision, 9)
    }
    await life.delivery.stop()
  })

  it('lets nobody wait for a sink that spills', async () => {
    const places = world()
    const outbox = new Outbox(places.store, {
      sinks: ['main', 'mirror'],
      maxBytes: 2_000,
      spilling: new Set(['mirror']),
    })
    const append = async () => {
      await places.store.commit([
        ...outbox.append(series(50), places.clock.now()),
        ...outbox.cursorOperations(),
      ])
      outbox.committed()
    }
    for (let i = 0; i < 5; i++) await append()
    assert.ok(outbox.full(), 'main has acknowledged nothing')
    outbox.acknowledge('main', outbox.visibleEnd)
    assert.equal(outbox.full(), false)
    assert.ok(outbox.bytesOf('mirror') > 2_000)
  })
})
