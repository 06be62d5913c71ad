import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, type TestContext, test } from 'node:test'
import * as zlib from 'node:zlib'
import type { KafkaCluster } from '../support/kafka-cluster.ts'
import { type Shared, sharedKafka } from '../support/shared-services.ts'
import { WardenHome } from '../support/warden-process.ts'
import { countTopic, type Expected } from './brute-force.ts'
import { assertEveryRecordOnce, assertSamePoints, expectedPoints } from './compare-points.ts'
import { closingEvents, defaultSpec, type EventSpec, eventStream } from './event-stream.ts'
import { figuresOf, lendingConfig, lendingJobMapping, untilCommitted } from './lending-job.ts'
import { produceEvents } from './make-events.ts'
import { readPointFile } from './read-point-file.ts'

const hourMs = 3_600_000
const spec: EventSpec = { ...defaultSpec, seed: 5, count: 20_000, users: 4_000 }
const id = randomBytes(3).toString('hex')

let kafka: Shared<KafkaCluster>
let expected: Expected

before(async () => {
  kafka = await sharedKafka()
  const plain = await filledTopic('none')
  expected = await countTopic(kafka.service.bootstrap, plain, lendingJobMapping)
})
after(async () => {
  await kafka?.release()
})

/** The same records in a topic that the broker compresses, as it does with those of a producer of its own. */
async function filledTopic(codec: string): Promise<string> {
  const topic = `compressed-${codec}-${id}`
  const { bootstrap } = kafka.service
  const type = codec === 'none' ? 'uncompressed' : codec
  await kafka.service.createTopic(topic, spec.partitions, { 'compression.type': type })
  await produceEvents(eventStream(spec), { bootstrap, topic })
  await produceEvents(closingEvents(spec, hourMs), { bootstrap, topic })
  return topic
}

function homeOf(t: TestContext, topic: string): WardenHome {
  const home = new WardenHome(
    lendingConfig({
      bootstrap: kafka.service.bootstrap,
      topic,
      group: topic,
      sinks: { points: { type: 'file', path: './points.jsonl', prefix: '' } },
    }),
  )
  t.after(() => home.remove())
  return home
}

async function assertCounted(t: TestContext, codec: string): Promise<void> {
  const topic = await filledTopic(codec)
  const home = homeOf(t, topic)
  const warden = home.run()
  t.after(() => warden.kill())
  await untilCommitted(kafka.service.address, topic, topic)
  const figures = await figuresOf(warden, expected.records)
  await warden.stop()
  assertSamePoints(readPointFile(home.path('points.jsonl')), expectedPoints(expected, ''))
  assertEveryRecordOnce(home, figures, expected)
}

for (const codec of ['gzip', 'snappy', 'lz4']) {
  test(`a topic in ${codec} is counted right`, (t) => assertCounted(t, codec))
}

if ('zstdDecompressSync' in zlib) {
  test('a topic in zstd is counted right', (t) => assertCounted(t, 'zstd'))
} else {
  test('a topic in zstd ends Warden on this Node with exit code 1, the topic and the cure', async (t) => {
    const topic = await filledTopic('zstd')
    const warden = homeOf(t, topic).run()
    t.after(() => warden.kill())
    const { code } = await warden.exited
    assert.equal(code, 1, warden.output)
    const said = warden.output.split('\n').filter((line) => line !== '' && !line.startsWith('{'))
    assert.match(said.join('\n'), new RegExp(`${topic}.*Node 22\\.15`))
    assert.match(said.join('\n'), /compression\.type/)
  })
}
