import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, before, describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { cli } from '../../src/cli.ts'
import { createEventProducer } from '../../src/ingest/kafka-producer.ts'
import { KafkaLogSink } from '../../src/sink/kafka-log-sink.ts'
import { decodeName } from '../../src/sink/point-names.ts'
import { contractPoints } from '../contract/sink.ts'
import { readTopic } from '../e2e/records.ts'
import { type KafkaService, startKafka } from '../support/kafka-service.ts'
import { RecordingLogger } from '../support/recording-logger.ts'

const child = fileURLToPath(new URL('../support/kafka-log-child.ts', import.meta.url))
const partitions = 3
/** Bound on one life of the child. */
const lifeMs = 120_000

interface Line {
  readonly metric: string
  readonly tags: Readonly<Record<string, string>>
  readonly value: number
  readonly revision: number
}

describe('KafkaLogSink on a real Kafka', () => {
  // It is killed, so it is this file's own.
  let kafka: KafkaService

  before(async () => {
    kafka = await startKafka({ saslSsl: true })
  })
  after(async () => {
    await kafka?.stop()
  })

  const logSink = (topic: string, transactional = true) =>
    new KafkaLogSink(
      {
        name: 'log',
        prefix: 'test.',
        connection: { brokers: [kafka.bootstrap], tls: undefined, sasl: undefined },
        topic,
        transactionalId: `${topic}-writer`,
        group: `${topic}-writer`,
        transactional,
      },
      new RecordingLogger(),
    )

  /** Gives every record that a reader of committed records sees, in the order of its partition. */
  async function readCommitted(topic: string, take: (line: Line) => void): Promise<void> {
    // A record behind the last transaction marker: only of records is it known that they were read.
    const producer = await createEventProducer({ brokers: [kafka.bootstrap], topic })
    await producer.send(
      Array.from({ length: partitions }, (_, partition) => ({ partition, value: '{"end":true}' })),
    )
    await producer.close()
    await readTopic(kafka.bootstrap, topic, ({ value }) => {
      const line = JSON.parse(String(value)) as Line | { readonly end: true }
      if (!('end' in line)) take(line)
    })
  }

  /** Revisions of every series. */
  async function committed(topic: string): Promise<Map<string, number[]>> {
    const seen = new Map<string, number[]>()
    await readCommitted(topic, ({ metric, tags, revision }) => {
      assert.equal(metric.slice(0, 5), 'test.')
      const series = tags.series ?? ''
      seen.set(series, [...(seen.get(series) ?? []), revision])
    })
    return seen
  }

  /** One life of the writer: until it has written all (true), or is killed when `isOver` resolves. */
  async function live(args: readonly string[], isOver: Promise<unknown>): Promise<boolean> {
    const writer = spawn(process.execPath, ['--import', 'tsx', child, ...args], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const exited = once(writer, 'exit')
    const lines = createInterface(writer.stdout)
    const begun = once(lines, 'line')
    const killed = begun.then(() => isOver).then(() => writer.kill('SIGKILL'))
    const timer = setTimeout(() => writer.kill('SIGKILL'), lifeMs)
    try {
      const [code] = await exited
      if (code !== null) assert.equal(code, 0, 'the writer failed')
      return code === 0
    } finally {
      clearTimeout(timer)
      lines.close()
      await Promise.race([killed, Promise.resolve()])
    }
  }

  /** Nobody waits for the end of a life that ended by itself. */
  const lifeOf = (ms: number) => sleep(ms, undefined, { ref: false })

  const allOf = (total: number): Map<string, number[]> => {
    const all = new Map<string, number[]>()
    for (let i = 0; i < total; i++) {
      all.set(String(i % 7), [...(all.get(String(i % 7)) ?? []), i])
    }
    return all
  }

  const withDirectory = async (use: (directory: string) => Promise<void>): Promise<void> => {
    const directory = mkdtempSync(join(tmpdir(), 'warden-kafka-sink-'))
    try {
      await use(directory)
    } finally {
      rmSync(directory, { recursive: true })
    }
  }

  it('shows a reader of committed records each revision once and in order, however often the writer is killed', {
    timeout: 300_000,
  }, async (t) => {
    const total = 20_000
    await kafka.createTopic('killed', partitions)
    await withDirectory(async (directory) => {
      const args = [kafka.bootstrap, 'killed', directory, String(total), 'exactly-once']
      let kills = 0
      while (!(await live(args, lifeOf(kills < 6 ? 200 + 350 * kills : lifeMs)))) kills++
      t.diagnostic(`${kills} kills`)
      assert.ok(kills >= 3, `${kills} kills`)
    })
    assert.deepEqual(sorted(await committed('killed')), sorted(allOf(total)))
  })

  it('does so when the broker is killed and comes back', { timeout: 300_000 }, async () => {
    const total = 20_000
    await kafka.createTopic('broker', partitions)
    await withDirectory(async (directory) => {
      const args = [kafka.bootstrap, 'broker', directory, String(total), 'exactly-once']
      const writing = live(args, new Promise(() => {}))
      await sleep(4_000)
      await kafka.kill()
      await kafka.start()
      assert.equal(await writing, true)
    })
    assert.deepEqual(sorted(await committed('broker')), sorted(allOf(total)))
  })

  it('misses nothing without transactions, though a kill may leave some twice', {
    timeout: 300_000,
  }, async () => {
    const total = 6_000
    await kafka.createTopic('plain', partitions)
    await withDirectory(async (directory) => {
      const args = [kafka.bootstrap, 'plain', directory, String(total), 'at-least-once']
      for (let kills = 0; !(await live(args, lifeOf(kills < 2 ? 400 : lifeMs))); ) kills++
    })
    const seen = await committed('plain')
    const once = new Map(
      [...seen].map(([series, all]) => [series, [...new Set(all)].sort(byNumber)]),
    )
    assert.deepEqual(sorted(once), sorted(allOf(total)))
  })

  it('fences a writer that was replaced, which then ends instead of fencing back', {
    timeout: 120_000,
  }, async () => {
    await kafka.createTopic('fenced', partitions)
    const [old, heir] = [logSink('fenced'), logSink('fenced')]
    try {
      assert.deepEqual([...(await old.open())], [])
      await old.append(contractPoints(2, { revision: 1 }), new Map([[3, 1]]))
      assert.deepEqual([...(await heir.open())], [[3, 1]], 'it goes on where the other stood')
      await assert.rejects(old.append(contractPoints(2, { revision: 2 }), new Map([[3, 2]])), {
        code: 'sink_unreachable',
      })
      await assert.rejects(old.open(), { code: 'sink_fenced', message: /another Warden/ })
      await heir.append(contractPoints(2, { revision: 3 }), new Map([[3, 2]]))
      assert.deepEqual([...(await heir.open())], [[3, 2]], 'and may open it again itself')
    } finally {
      await old.close()
      await heir.close()
    }
    const revisions = [...(await committed('fenced')).values()].flat().sort(byNumber)
    assert.deepEqual(revisions, [1, 1, 3, 3])
  })

  it('is what a job writes to, over TLS and SASL, by its config', {
    timeout: 120_000,
  }, async () => {
    await kafka.createTopic('panes', partitions)
    const { sasl } = kafka.address
    assert.ok(sasl)
    await withDirectory(async (directory) => {
      const at = (name: string) => join(directory, name)
      const events = Array.from({ length: 300 }, (_, i) => {
        const t = Date.UTC(2026, 0, 5) + i * 60_000
        return `${JSON.stringify({ t, user: `u${i}`, product: '现金贷' })}\n`
      })
      writeFileSync(at('events.jsonl'), events.join(''))
      writeFileSync(at('ca.pem'), sasl.caPem)
      const config = {
        job: 'lending',
        sources: {
          orders: { type: 'file', path: './events.jsonl', follow: false, event: { time: 't' } },
        },
        metrics: {
          loan: { window: { size: '1h' }, dimensions: ['product'], aggregates: ['events'] },
        },
        sinks: {
          panes: {
            type: 'kafka',
            brokers: sasl.bootstrap.split(','),
            topic: 'panes',
            prefix: 'test.',
            tls: { ca: { file: './ca.pem' } },
            sasl: {
              mechanism: 'scram-sha-256',
              username: sasl.username,
              password: '${KAFKA_PASSWORD}',
            },
          },
        },
        server: { listen: '127.0.0.1:0' },
        log: { level: 'error' },
      }
      writeFileSync(at('warden.json'), JSON.stringify(config))
      const texts: string[] = []
      const code = await cli(['run', '-c', at('warden.json')], {
        out: (text) => texts.push(text),
        err: (text) => texts.push(text),
        env: { KAFKA_PASSWORD: sasl.password },
        directory,
        stop: AbortSignal.timeout(90_000),
      })
      assert.equal(code, 0, texts.join(''))
    })
    const values: number[] = []
    await readCommitted('panes', (line) => {
      assert.equal(line.metric, 'test.loan.events')
      assert.equal(decodeName(line.tags.product ?? ''), '现金贷')
      values.push(line.value)
    })
    assert.deepEqual(values, [60, 60, 60, 60, 60])
  })

  it('says which topic is missing', { timeout: 60_000 }, async () => {
    const sink = logSink('nowhere')
    await assert.rejects(sink.open(), { code: 'sink_unreachable', message: /topic nowhere/ })
    await sink.close()
  })
})

const byNumber = (a: number, b: number) => a - b
const sorted = (series: ReadonlyMap<string, readonly number[]>) =>
  [...series].sort(([a], [b]) => (a < b ? -1 : 1))
