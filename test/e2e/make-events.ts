/**
 * Produces the seeded event stream to a Kafka topic, a JSONL file, or both:
 *   node --import tsx test/e2e/make-events.ts --bootstrap HOST:PORT --topic NAME [--file PATH]
 *     [--count 1000000] [--seed 1] [--partitions 4] [--users 200000] [--start 2026-01-05T00:00:00Z] [--span-hours 6]
 *     [--late 0 [--part main|late|closing|all]] [--close-after-hours 0] [--per-second 0] [--compression none|gzip]
 * The topic must exist. Prints one line of JSON when everything is acknowledged by all replicas.
 */
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { finished } from 'node:stream/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { CompressionTypes, Kafka, logLevel, Partitioners } from 'kafkajs'
import {
  closingEvents,
  defaultSpec,
  type EventSpec,
  eventStream,
  lateEvents,
  type StreamRecord,
} from './event-stream.ts'

export interface TopicTarget {
  readonly bootstrap: string
  readonly topic: string
  readonly gzip?: boolean
  /** Records per second; 0 or undefined: as fast as it goes. */
  readonly perSecond?: number
}

const batchRecords = 10_000

/** Sends the records in order, batch after batch; resolves with their number when all are acknowledged. */
export async function produceEvents(
  records: Iterable<StreamRecord>,
  target: TopicTarget,
): Promise<number> {
  const kafka = new Kafka({
    clientId: 'make-events',
    brokers: target.bootstrap.split(','),
    logLevel: logLevel.NOTHING,
    retry: { retries: 20, initialRetryTime: 100, maxRetryTime: 2000 },
  })
  const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner })
  const compression = target.gzip === true ? CompressionTypes.GZIP : CompressionTypes.None
  const perSecond = target.perSecond ?? 0
  await producer.connect()
  const start = performance.now()
  let sent = 0
  try {
    for (const batch of batches(
      records,
      perSecond > 0 ? Math.ceil(perSecond / 10) : batchRecords,
    )) {
      const messages = batch.map(({ partition, timestamp, value }) => ({
        partition,
        timestamp: String(timestamp),
        value,
      }))
      await producer.send({ topic: target.topic, acks: -1, compression, messages })
      sent += batch.length
      if (perSecond > 0) {
        await sleep(Math.max(0, (sent / perSecond) * 1000 - (performance.now() - start)))
      }
    }
  } finally {
    await producer.disconnect()
  }
  return sent
}

/** One record a line, in order; resolves with their number. */
export async function writeEvents(records: Iterable<StreamRecord>, file: string): Promise<number> {
  const stream = createWriteStream(file)
  let written = 0
  for (const batch of batches(records, 1000)) {
    const lines = batch.flatMap(({ value }) => [Buffer.from(value), Buffer.from('\n')])
    if (!stream.write(Buffer.concat(lines))) await once(stream, 'drain')
    written += batch.length
  }
  stream.end()
  await finished(stream)
  return written
}

function* batches<T>(items: Iterable<T>, size: number): Generator<T[]> {
  let batch: T[] = []
  for (const item of items) {
    batch.push(item)
    if (batch.length < size) continue
    yield batch
    batch = []
  }
  if (batch.length > 0) yield batch
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      bootstrap: { type: 'string' },
      topic: { type: 'string' },
      file: { type: 'string' },
      count: { type: 'string', default: String(defaultSpec.count) },
      seed: { type: 'string', default: String(defaultSpec.seed) },
      partitions: { type: 'string', default: String(defaultSpec.partitions) },
      users: { type: 'string', default: String(defaultSpec.users) },
      start: { type: 'string', default: new Date(defaultSpec.startMs).toISOString() },
      'span-hours': { type: 'string', default: String(defaultSpec.spanMs / 3_600_000) },
      late: { type: 'string', default: '0' },
      'close-after-hours': { type: 'string', default: '0' },
      part: { type: 'string', default: 'all' },
      'per-second': { type: 'string', default: '0' },
      compression: { type: 'string', default: 'none' },
    },
  })
  const spec: EventSpec = {
    seed: Number(values.seed),
    count: Number(values.count),
    partitions: Number(values.partitions),
    startMs: Date.parse(values.start),
    spanMs: Number(values['span-hours']) * 3_600_000,
    users: Number(values.users),
    disorderMs: defaultSpec.disorderMs,
  }
  function* all(): Generator<StreamRecord> {
    const closeAfterMs = Number(values['close-after-hours']) * 3_600_000
    const wanted = (part: string) => values.part === 'all' || values.part === part
    if (wanted('main')) yield* eventStream(spec)
    if (wanted('closing') && closeAfterMs > 0) yield* closingEvents(spec, closeAfterMs)
    if (wanted('late')) yield* lateEvents(spec, Number(values.late))
  }
  const start = performance.now()
  const report: Record<string, number> = {}
  if (values.bootstrap !== undefined && values.topic !== undefined) {
    report.produced = await produceEvents(all(), {
      bootstrap: values.bootstrap,
      topic: values.topic,
      gzip: values.compression === 'gzip',
      perSecond: Number(values['per-second']),
    })
  }
  if (values.file !== undefined) report.written = await writeEvents(all(), values.file)
  report.seconds = Math.round(performance.now() - start) / 1000
  process.stdout.write(`${JSON.stringify(report)}\n`)
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await main()
