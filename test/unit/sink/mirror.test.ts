import assert from 'node:assert/strict'
import { it } from 'node:test'
import { Delivery } from '../../../src/sink/delivery.ts'
import { defaultDeliveryOptions } from '../../../src/sink/delivery-options.ts'
import { Outbox } from '../../../src/sink/outbox.ts'
import { MemoryStateStore } from '../../../src/state/memory-state-store.ts'
import { point } from '../../support/delivery-life.ts'
import { MemorySink } from '../../support/memory-sink.ts'
import { RecordingLogger } from '../../support/recording-logger.ts'
import { RecordingMetrics } from '../../support/recording-metrics.ts'
import { VirtualClock } from '../../support/virtual-clock.ts'

it('two stores of the same points: one that is away holds up neither the other nor its cursor, and catches up', async () => {
  const clock = new VirtualClock()
  const store = new MemoryStateStore()
  const sinks = ['main', 'mirror'].map((name) => new MemorySink(clock, name))
  const outbox = new Outbox(store, { sinks: sinks.map(({ name }) => name), maxBytes: 1e9 })
  const metrics = new RecordingMetrics()
  const deliveries = sinks.map(
    (sink) =>
      new Delivery(outbox, sink, defaultDeliveryOptions, {
        clock,
        logger: new RecordingLogger(),
        metrics,
        random: () => 0.5,
        onRefused: () => assert.fail('nothing is refused'),
        onBroken: (error) => assert.fail(error),
      }),
  )
  const [main, mirror] = deliveries
  const [first, second] = sinks
  assert.ok(main && mirror && first && second)
  const checkpoint = async (revision: number) => {
    const points = Array.from({ length: 50 }, (_, i) => point(i, revision))
    await store.commit([...outbox.append(points, clock.now()), ...outbox.cursorOperations()])
    outbox.committed()
    await clock.advance(60_000)
  }
  for (const delivery of deliveries) delivery.start()
  second.behave = () => ({ afterMs: 0, failed: true, fateOf: () => ({ kind: 'throttled' }) })
  for (let revision = 0; revision < 5; revision++) await checkpoint(revision)

  assert.equal(main.health().state, 'ok')
  assert.equal(outbox.cursor('main'), outbox.visibleEnd)
  assert.equal(first.stored.size, 50)
  assert.equal(mirror.health().state, 'open')
  assert.equal(outbox.cursor('mirror'), 0)
  assert.equal(mirror.evidence().waiting, 50, 'of five revisions of a point one waits')
  assert.equal(metrics.value('warden_sink_circuit_open', { sink: 'mirror' }), 1)
  assert.equal(metrics.value('warden_sink_circuit_open', { sink: 'main' }), 0)

  second.behave = () => undefined
  await clock.advance(60_000)
  assert.deepEqual(second.stored, first.stored)
  assert.equal(outbox.cursor('mirror'), outbox.visibleEnd)
  for (const delivery of deliveries) await delivery.stop()
})
