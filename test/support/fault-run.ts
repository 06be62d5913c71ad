import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { durationMs } from '../../src/core/time.ts'
import { pointKey } from '../../src/sink/data-point.ts'
import { Delivery } from '../../src/sink/delivery.ts'
import type { DeliveryOptions } from '../../src/sink/delivery-options.ts'
import { OpentsdbReader } from '../../src/sink/opentsdb-reader.ts'
import { OpentsdbSink, opentsdbSinkOptions } from '../../src/sink/opentsdb-sink.ts'
import { Outbox } from '../../src/sink/outbox.ts'
import type { DataPoint } from '../../src/sink/sink.ts'
import { VerifiedSink } from '../../src/sink/verified-sink.ts'
import { MemoryStateStore } from '../../src/state/memory-state-store.ts'
import { SystemClock } from '../../src/system-clock.ts'
import { FakeOpentsdb, type PutPoint } from './fake-opentsdb.ts'
import { reservePorts } from './free-ports.ts'
import type { PutFault } from './put-faults.ts'
import { RecordingLogger } from './recording-logger.ts'
import { RecordingMetrics } from './recording-metrics.ts'
import { until } from './until.ts'

export interface FaultSetting {
  readonly gzip: boolean
  readonly connections: 1 | 4
}

export interface FaultOutcome {
  /** Points whose newest value is neither in the store nor a dead letter. */
  readonly lost: number
  readonly deadLetters: number
  /** Points that the server read beyond each revision's first time. */
  readonly twice: number
  /** From the end of the trouble until everything was acknowledged and settled, ms. */
  readonly drainMs: number
}

const seriesCount = 120
const revisions = 4
const metric = 'warden.fault.count'
const timestamp = 1_735_689_600
/** How long the trouble lasts after its first request, ms. */
export const troubleMs = 220

/** The times of a real delivery, about a hundredth of them. */
export const faultOptions: DeliveryOptions & { readonly timeoutMs: number } = {
  timeoutMs: 120,
  batchPoints: 40,
  batchAgeMs: 5,
  connections: 4,
  backoff: { initialMs: durationMs(4), maxMs: durationMs(60) },
  slowMs: 60,
  maxRate: undefined,
  maxBacklogBytes: undefined,
  settleMs: 300,
  failuresToOpen: 5,
  maxUnwritten: 1_000,
  maxInMemory: 2_000,
}

/** Points of some revisions while a server misbehaves and after that, and what became of them. */
export async function faultRun(fault: PutFault, setting: FaultSetting): Promise<FaultOutcome> {
  const server = new FakeOpentsdb()
  const reservation = await reservePorts(1)
  await server.start(reservation.ports[0])
  const deadLetters = new Map<string, DataPoint>()
  const { timeoutMs } = faultOptions
  const gzipFromBytes = setting.gzip ? 1 : Number.POSITIVE_INFINITY
  const metrics = new RecordingMetrics()
  const http = new OpentsdbSink(
    opentsdbSinkOptions({ name: 'tsdb', url: server.url, gzipFromBytes, timeoutMs, ...setting }),
  )
  const reader = new OpentsdbReader({ url: server.url, timeoutMs: 5_000, headers: {} })
  const sink =
    fault.lies === true ? new VerifiedSink(http, reader, 1, { metrics, random: Math.random }) : http
  const clock = new SystemClock()
  const store = new MemoryStateStore()
  const outbox = new Outbox(store, { sinks: [sink.name], maxBytes: 1e9 })
  const options = { ...faultOptions, connections: setting.connections }
  const delivery = new Delivery(outbox, sink, options, {
    clock,
    logger: new RecordingLogger(),
    metrics,
    random: Math.random,
    onRefused: (point) => deadLetters.set(pointKey(point), point),
    onBroken: (error) => assert.fail(error),
  })
  const expected = new Map<string, DataPoint>()
  const checkpoint = async (revision: number) => {
    const points = Array.from({ length: seriesCount }, (_, i): DataPoint => {
      const tags = { series: String(i), region: 'eu' }
      const value = i * 100 + revision + (revision % 2) / 2
      return { metric, tags, timestamp, value, incarnation: 1, revision }
    })
    for (const point of points) expected.set(pointKey(point), point)
    await store.commit([...outbox.append(points, clock.now()), ...outbox.cursorOperations()])
    outbox.committed()
  }
  delivery.start()
  try {
    let nth = 0
    server.behave = (request) => fault.answer?.(request, nth++)
    await fault.begin?.(server)
    for (let revision = 0; revision < revisions - 1; revision++) {
      await checkpoint(revision)
      await sleep(troubleMs / (revisions - 1))
    }
    await fault.end?.(server)
    if (fault.refuses === undefined) server.behave = () => undefined
    const endedAt = performance.now()
    await checkpoint(revisions - 1)
    assert.equal(await delivery.drain(20_000), true, `${fault.name} drains`)
    const drainMs = performance.now() - endedAt
    await until('what is written late has been', () => server.pendingStores === 0, 5_000, 10)
    const sent = server.requests.flatMap(({ points }) => points.map((point) => textOf(point)))
    return {
      ...judge(expected, deadLetters, server),
      twice: sent.length - new Set(sent).size,
      drainMs,
    }
  } finally {
    await delivery.stop()
    await sink.close()
    await server.stop()
    reservation.release()
  }
}

function judge(
  expected: ReadonlyMap<string, DataPoint>,
  deadLetters: ReadonlyMap<string, DataPoint>,
  server: FakeOpentsdb,
): { readonly lost: number; readonly deadLetters: number } {
  const stored = new Map(
    [...server.stored.values()].map((point) => [
      pointKey({ ...point, value: 0, incarnation: 0, revision: 0 }),
      Number(point.value),
    ]),
  )
  const lost = [...expected].filter(
    ([key, point]) =>
      stored.get(key) !== point.value && deadLetters.get(key)?.value !== point.value,
  )
  assert.equal(
    stored.size + deadLetters.size,
    expected.size,
    'no point is in both, or from nowhere',
  )
  return { lost: lost.length, deadLetters: deadLetters.size }
}

const textOf = ({ tags, value }: PutPoint) => `${tags.series}=${value}`
