import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { WardenError } from '../../../src/core/errors.ts'
import type { StateStore } from '../../../src/core/state-store.ts'
import { defaultDeliveryOptions } from '../../../src/sink/delivery-options.ts'
import { LogDelivery } from '../../../src/sink/log-delivery.ts'
import type { LogMarks, LogSink } from '../../../src/sink/log-sink.ts'
import { Outbox } from '../../../src/sink/outbox.ts'
import type { DataPoint } from '../../../src/sink/sink.ts'
import { MemoryStateStore } from '../../../src/state/memory-state-store.ts'
import { point } from '../../support/delivery-life.ts'
import { RecordingLogger } from '../../support/recording-logger.ts'
import { RecordingMetrics } from '../../support/recording-metrics.ts'
import { settle, VirtualClock } from '../../support/virtual-clock.ts'

type Trouble = 'none' | 'lost-before' | 'lost-after' | 'open-fails'

/** A log of transactions; an answer may be lost before or after the commit. */
class MemoryLog {
  readonly lines: DataPoint[] = []
  marks: LogMarks = new Map()
  epoch = 0
  trouble: Trouble[] = []
  opened = 0

  writer(clock: VirtualClock): LogSink {
    let epoch = -1
    return {
      name: 'log',
      open: async () => {
        this.opened++
        if (this.trouble[0] === 'open-fails') {
          this.trouble.shift()
          throw new WardenError('sink_unreachable', 'no broker')
        }
        epoch = ++this.epoch
        return this.marks
      },
      append: async (points, marks) => {
        const trouble = this.trouble.shift() ?? 'none'
        await clock.sleep(50)
        if (epoch !== this.epoch) throw new WardenError('sink_unreachable', 'fenced')
        if (trouble === 'lost-before') throw new WardenError('sink_unreachable', 'no answer')
        this.lines.push(...points)
        this.marks = marks
        if (trouble === 'lost-after') throw new WardenError('sink_unreachable', 'no answer')
      },
      close: async () => {},
    }
  }
}

class Life {
  readonly outbox: Outbox
  readonly delivery: LogDelivery
  readonly broken: Error[] = []
  readonly metrics = new RecordingMetrics()
  readonly #store: StateStore
  readonly #clock: VirtualClock

  constructor(store: StateStore, clock: VirtualClock, sink: LogSink, maxBacklogBytes?: number) {
    this.#store = store
    this.#clock = clock
    this.outbox = new Outbox(store, { sinks: ['log'], maxBytes: 1e9 })
    const options = { ...defaultDeliveryOptions, batchPoints: 4, connections: 1, maxBacklogBytes }
    this.delivery = new LogDelivery(this.outbox, sink, options, {
      clock,
      logger: new RecordingLogger(),
      metrics: this.metrics,
      random: () => 0.5,
      onRefused: () => assert.fail('a log refuses nothing'),
      onBroken: (error) => this.broken.push(error),
    })
    this.delivery.start()
  }

  async checkpoint(points: readonly DataPoint[] = []): Promise<void> {
    await this.#store.commit([
      ...this.outbox.append(points, this.#clock.now()),
      ...this.outbox.cursorOperations(),
    ])
    this.outbox.committed()
  }
}

const revisions = (lines: readonly DataPoint[]) =>
  lines.map((one) => `${one.tags.series}@${one.incarnation}.${one.revision}`)

describe('LogDelivery', () => {
  it('writes every revision once and in order, whatever fails, is lost after the commit, or is killed', async () => {
    const trouble = fc.constantFrom<Trouble>(
      'none',
      'none',
      'lost-before',
      'lost-after',
      'open-fails',
    )
    const step = fc.oneof(
      {
        weight: 4,
        arbitrary: fc.record({
          kind: fc.constant('append' as const),
          count: fc.integer({ min: 1, max: 5 }),
        }),
      },
      {
        weight: 3,
        arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.nat(3_000) }),
      },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('checkpoint' as const) }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('kill' as const) }) },
    )
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 30 }),
        fc.array(trouble, { maxLength: 20 }),
        async (steps, troubles) => {
          const clock = new VirtualClock()
          const store = new MemoryStateStore()
          const log = new MemoryLog()
          log.trouble = [...troubles]
          let life = new Life(store, clock, log.writer(clock))
          await life.checkpoint()
          const sent: DataPoint[] = []
          for (const one of steps) {
            if (one.kind === 'wait') await clock.advance(one.ms)
            if (one.kind === 'checkpoint') await life.checkpoint()
            if (one.kind === 'append') {
              const points = Array.from({ length: one.count }, (_, i) => point(i, sent.length + i))
              sent.push(...points)
              await life.checkpoint(points)
            }
            if (one.kind === 'kill') {
              void life.delivery.stop()
              await settle()
              life = new Life(store, clock, log.writer(clock))
            }
          }
          const drained = life.delivery.drain(3_600_000)
          await clock.advance(600_000)
          assert.equal(await drained, true)
          assert.deepEqual(revisions(log.lines), revisions(sent))
          assert.deepEqual(life.broken, [])
          await life.delivery.stop()
        },
      ),
      { numRuns: 150 },
    )
  })

  it('writes what a state begun anew counts, though its positions begin anew', async () => {
    const clock = new VirtualClock()
    const log = new MemoryLog()
    for (const incarnation of [1, 2]) {
      const life = new Life(new MemoryStateStore(), clock, log.writer(clock))
      await life.checkpoint([point(1, 0, { incarnation })])
      await life.checkpoint([point(1, 1, { incarnation })])
      await clock.advance(10_000)
      await life.delivery.stop()
    }
    assert.deepEqual(revisions(log.lines), ['1@1.0', '1@1.1', '1@2.0', '1@2.1'])
  })

  it('writes nothing twice of a state that was restored, and everything counted after that', async () => {
    const clock = new VirtualClock()
    const log = new MemoryLog()
    const store = new MemoryStateStore()
    const life = new Life(store, clock, log.writer(clock))
    await life.checkpoint([point(1, 0)])
    const copy = new MemoryStateStore()
    await copy.commit(
      [...store.range('', '~')].map(([key, value]) => ({ kind: 'put', key, value })),
    )
    await life.checkpoint([point(1, 1)])
    await life.checkpoint([point(1, 2)])
    await clock.advance(10_000)
    await life.delivery.stop()
    const restored = new Life(copy, clock, log.writer(clock))
    await restored.checkpoint([point(1, 1, { incarnation: 2 })])
    await clock.advance(10_000)
    await restored.delivery.stop()
    assert.deepEqual(revisions(log.lines), ['1@1.0', '1@1.1', '1@1.2', '1@2.1'])
  })

  it('ends, and says why, when another writer has taken the log over', async () => {
    const clock = new VirtualClock()
    const sink: LogSink = {
      name: 'log',
      open: () => Promise.reject(new WardenError('sink_fenced', 'another Warden writes')),
      append: () => Promise.resolve(),
      close: () => Promise.resolve(),
    }
    const life = new Life(new MemoryStateStore(), clock, sink)
    await clock.advance(1_000)
    assert.match(life.broken[0]?.message ?? '', /another Warden/)
    await life.delivery.stop()
    assert.equal(clock.pendingTimers(), 0)
  })

  it('stops at once while a broker does not answer', async () => {
    const clock = new VirtualClock()
    const sink: LogSink = {
      name: 'log',
      open: () => new Promise(() => {}),
      append: () => Promise.resolve(),
      close: () => Promise.resolve(),
    }
    const life = new Life(new MemoryStateStore(), clock, sink)
    await clock.advance(60_000)
    await life.delivery.stop()
    assert.equal(clock.pendingTimers(), 0)
  })

  it('writes its marks again now and then, before a broker forgets them', async () => {
    const clock = new VirtualClock()
    const log = new MemoryLog()
    const life = new Life(new MemoryStateStore(), clock, log.writer(clock))
    await life.checkpoint([point(1, 0)])
    await clock.advance(60_000)
    const before = log.marks
    await clock.advance(13 * 3_600_000)
    assert.notEqual(log.marks, before)
    assert.deepEqual([...log.marks], [...before])
    assert.equal(log.lines.length, 1)
    await life.delivery.stop()
  })

  it('drops the oldest of a backlog beyond its bound, and counts it', async () => {
    const clock = new VirtualClock()
    const log = new MemoryLog()
    const life = new Life(new MemoryStateStore(), clock, log.writer(clock), 1_000)
    log.trouble = Array.from({ length: 1_000 }, () => 'lost-before')
    for (let i = 0; i < 50; i++) await life.checkpoint([point(i, 0)])
    log.trouble = []
    await clock.advance(600_000)
    const dropped = life.metrics.value('warden_sink_points_total', {
      sink: 'log',
      outcome: 'dropped',
    })
    assert.equal(log.lines.length + (dropped ?? 0), 50)
    assert.equal(log.lines.at(-1)?.tags.series, '49')
    assert.ok(log.lines.length < 50)
    await life.delivery.stop()
  })
})
