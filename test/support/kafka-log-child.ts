import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { defaultDeliveryOptions } from '../../src/sink/delivery-options.ts'
import { KafkaLogSink } from '../../src/sink/kafka-log-sink.ts'
import { LogDelivery } from '../../src/sink/log-delivery.ts'
import { Outbox } from '../../src/sink/outbox.ts'
import type { DataPoint } from '../../src/sink/sink.ts'
import { LmdbStateStore } from '../../src/state/lmdb-state-store.ts'
import { SystemClock } from '../../src/system-clock.ts'
import { RecordingLogger } from './recording-logger.ts'
import { RecordingMetrics } from './recording-metrics.ts'

/**
 * A process to be killed: checkpoints points 0, 1, 2 … to an outbox in LMDB and copies them to a topic, until `total` are there.
 * Arguments: bootstrap, topic, directory, total, `exactly-once` or `at-least-once`. Prints a line per checkpoint and exits 0.
 */
const [bootstrap = '', topic = '', directory = '', total = '0', mode = ''] = process.argv.slice(2)

const perCheckpoint = 40
const clock = new SystemClock()
const logger = new RecordingLogger()
const store = new LmdbStateStore(join(directory, 'state'))
const outbox = new Outbox(store, { sinks: ['log'], maxBytes: 1e9 })
const sink = new KafkaLogSink(
  {
    name: 'log',
    prefix: 'test.',
    connection: { brokers: bootstrap.split(','), tls: undefined, sasl: undefined },
    topic,
    transactionalId: `${topic}-writer`,
    group: `${topic}-writer`,
    transactional: mode === 'exactly-once',
  },
  logger,
)
const options = { ...defaultDeliveryOptions, batchAgeMs: 20, batchPoints: 200, connections: 1 }
const delivery = new LogDelivery(outbox, sink, options, {
  clock,
  logger,
  metrics: new RecordingMetrics(),
  random: Math.random,
  onRefused: () => {},
  onBroken: (error) => {
    process.stderr.write(`${error.stack}\n`)
    process.exit(1)
  },
})

const saved = store.get('test/next')
let next = saved === undefined ? 0 : Number(Buffer.from(saved).toString())
delivery.start()
while (next < Number(total)) {
  const points = Array.from({ length: perCheckpoint }, (_, i): DataPoint => {
    const revision = next + i
    const tags = { series: String(revision % 7) }
    return { metric: 'm', tags, timestamp: 1_735_689_600, value: 1, incarnation: 3, revision }
  })
  next += perCheckpoint
  await store.commit([
    ...outbox.append(points, clock.now()),
    ...outbox.cursorOperations(),
    { kind: 'put', key: 'test/next', value: Buffer.from(String(next)) },
  ])
  outbox.committed()
  process.stdout.write(`${next} ${delivery.writtenThrough()}\n`)
  await sleep(10)
}
while (!(await delivery.drain(5_000))) process.stdout.write(`${delivery.health().lastError}\n`)
await store.commit(outbox.cursorOperations())
await delivery.stop()
await sink.close()
await store.close()
