import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { pointKey } from '../../src/sink/data-point.ts'
import { Delivery } from '../../src/sink/delivery.ts'
import { defaultDeliveryOptions } from '../../src/sink/delivery-options.ts'
import {
  OpentsdbSink,
  type OpentsdbSinkOptions,
  opentsdbSinkOptions,
} from '../../src/sink/opentsdb-sink.ts'
import { Outbox } from '../../src/sink/outbox.ts'
import type { DataPoint } from '../../src/sink/sink.ts'
import { MemoryStateStore } from '../../src/state/memory-state-store.ts'
import { SystemClock } from '../../src/system-clock.ts'
import { contractPoints, sinkContract } from '../contract/sink.ts'
import { type OpentsdbService, startOpentsdb } from '../support/opentsdb-service.ts'
import { RecordingLogger } from '../support/recording-logger.ts'
import { RecordingMetrics } from '../support/recording-metrics.ts'
import { until } from '../support/until.ts'

const never = new AbortController().signal

interface Series {
  readonly metric: string
  readonly tags: Record<string, string>
  readonly dps: Record<string, number>
}

/** Every point of a metric, as a query answers. */
async function queried(url: string, metric: string): Promise<Map<string, number>> {
  const response = await fetch(`${url}/api/query?start=1&m=none:${metric}`)
  const body: unknown = await response.json()
  assert.equal(response.status, 200, JSON.stringify(body).slice(0, 500))
  const values = new Map<string, number>()
  for (const { tags, dps } of body as Series[]) {
    for (const [seconds, value] of Object.entries(dps)) {
      const timestamp = Number(seconds)
      const point = { metric, tags, timestamp, value, incarnation: 0, revision: 0 }
      values.set(pointKey(point), value)
    }
  }
  return values
}

describe('OpentsdbSink on OpenTSDB as it comes, without fix_duplicates', () => {
  let service: OpentsdbService

  before(async () => {
    service = await startOpentsdb({ fixDuplicates: false })
  })
  after(async () => {
    await service?.stop()
  })

  const connect = (options: Partial<OpentsdbSinkOptions> = {}) =>
    new OpentsdbSink(
      opentsdbSinkOptions({ name: 'tsdb', url: service.url, timeoutMs: 10_000, ...options }),
    )

  sinkContract('OpentsdbSink', {
    async medium() {
      return {
        sink: connect(),
        stored: () => queried(service.url, 'warden.contract.count'),
        dispose: async () => {},
      }
    },
  })

  it('learns from a real answer which points were refused, and that the others are stored', async () => {
    const sink = connect()
    const metric = 'warden.mixed.count'
    const points = contractPoints(4, { metric }).map((point, i) =>
      i === 1
        ? { ...point, tags: { series: 'a:b' } }
        : i === 2
          ? { ...point, timestamp: 0 }
          : point,
    )
    const result = await sink.write(points, never)
    await sink.close()
    assert.deepEqual(
      result.outcomes.map(({ kind }) => kind),
      ['written', 'refused', 'refused', 'written'],
    )
    assert.equal((await queried(service.url, metric)).size, 2)
  })

  it('brings the newest revisions through a frozen and a killed TSD', {
    timeout: 240_000,
  }, async () => {
    const metric = 'warden.outage.count'
    const clock = new SystemClock()
    const store = new MemoryStateStore()
    const sink = connect({ timeoutMs: 2_000 })
    const outbox = new Outbox(store, { sinks: [sink.name], maxBytes: 1e9 })
    const delivery = new Delivery(
      outbox,
      sink,
      { ...defaultDeliveryOptions, settleMs: 3_000, batchAgeMs: 50, batchPoints: 100 },
      {
        clock,
        logger: new RecordingLogger(),
        metrics: new RecordingMetrics(),
        random: Math.random,
        onRefused: (point, reason) => assert.fail(`${point.metric} refused: ${reason}`),
        onBroken: (error) => assert.fail(error),
      },
    )
    const series = contractPoints(300, { metric })
    const expected = new Map<string, number>()
    const checkpoint = async (revision: number) => {
      const points = series.map(
        (point, i): DataPoint => ({
          ...point,
          revision,
          value: revision * 1000 + i + (revision % 2) / 2,
        }),
      )
      for (const point of points) expected.set(pointKey(point), point.value)
      await store.commit([...outbox.append(points, clock.now()), ...outbox.cursorOperations()])
      outbox.committed()
    }
    delivery.start()
    try {
      await checkpoint(0)
      await until('the first revision is written', () => delivery.writtenThrough() === outbox.end)
      service.freezeTsd()
      await checkpoint(1)
      await until('the delivery sees the freeze', () => delivery.health().state !== 'ok')
      await checkpoint(2)
      service.thawTsd()
      await until('written after the thaw', () => delivery.writtenThrough() === outbox.end, 60_000)
      await checkpoint(3)
      await service.killTsd()
      await checkpoint(4)
      await until('the delivery sees the kill', () => delivery.health().state !== 'ok', 60_000)
      await service.startTsd()
      assert.equal(await delivery.drain(90_000), true)
    } finally {
      await delivery.stop()
      await sink.close()
    }
    assert.deepEqual(sorted(await queried(service.url, metric)), sorted(expected))
  })
})

const sorted = (values: ReadonlyMap<string, number>) =>
  [...values].sort(([a], [b]) => (a < b ? -1 : 1))
