import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { pointKey } from '../../src/sink/data-point.ts'
import { Delivery } from '../../src/sink/delivery.ts'
import { defaultDeliveryOptions } from '../../src/sink/delivery-options.ts'
import { OpentsdbReader } from '../../src/sink/opentsdb-reader.ts'
import {
  OpentsdbSink,
  type OpentsdbSinkOptions,
  opentsdbSinkOptions,
} from '../../src/sink/opentsdb-sink.ts'
import { Outbox } from '../../src/sink/outbox.ts'
import type { DataPoint } from '../../src/sink/sink.ts'
import { VerifiedSink } from '../../src/sink/verified-sink.ts'
import { MemoryStateStore } from '../../src/state/memory-state-store.ts'
import { SystemClock } from '../../src/system-clock.ts'
import { contractPoints, sinkContract } from '../contract/sink.ts'
import { freezeHbase } from '../support/frozen-hbase.ts'
import { type OpentsdbService, startOpentsdb } from '../support/opentsdb-service.ts'
import { RecordingLogger } from '../support/recording-logger.ts'
import { RecordingMetrics } from '../support/recording-metrics.ts'
import { StoreLoad, storedPoints } from '../support/store-load.ts'
import { until } from '../support/until.ts'

const never = new AbortController().signal

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
      opentsdbSinkOptions({ name: 'tsdb', url: service.url, timeoutMs: 30_000, ...options }),
    )

  sinkContract('OpentsdbSink', {
    async medium() {
      return {
        sink: connect(),
        stored: () => storedPoints(service.url, 'warden.contract.count'),
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
    assert.equal((await storedPoints(service.url, metric)).size, 2)
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
    assert.deepEqual(sorted(await storedPoints(service.url, metric)), sorted(expected))
  })

  // The same in full length, and an outage of ten minutes: test/chaos/store-outages.ts.
  it('has every point after HBase was killed, the TSD was killed, and HBase was frozen, under load', {
    timeout: 600_000,
  }, async (t) => {
    const load = new StoreLoad({
      url: service.url,
      metric: 'warden.outages.count',
      series: 200,
      everyMs: 250,
      settleMs: 5_000,
      timeoutMs: 5_000,
    })
    const well = () =>
      until('all is written', () => load.isWritten && load.health().state === 'ok', 120_000)
    load.start()
    try {
      await well()
      await service.killHbase()
      await service.startHbase()
      await well()
      await service.killTsd()
      await service.startTsd()
      await well()
      await freezeHbase(service, 10_000)
      const outcome = await load.finish(180_000)
      t.diagnostic(JSON.stringify(outcome))
      assert.equal(outcome.lost, 0)
    } finally {
      await load.stop()
    }
  })

  it('reads back from a real OpenTSDB what it wrote, and notices what is not there', async () => {
    const metrics = new RecordingMetrics()
    const reader = new OpentsdbReader({ url: service.url, timeoutMs: 10_000, headers: {} })
    const sink = new VerifiedSink(connect(), reader, 1, { metrics, random: Math.random })
    const values = [5, 5.5, 0, -3, 1 / 3, 1e21, -1e300, 5e-324, 2 ** 53]
    const points = contractPoints(120, { metric: 'warden.readback.count' }).map((point, i) => ({
      ...point,
      value: values[i % values.length] ?? 0,
      timestamp: point.timestamp + (i % 3) * 3_600,
    }))
    const { outcomes } = await sink.write(points, never)
    await sink.close()
    assert.deepEqual(new Set(outcomes.map(({ kind }) => kind)), new Set(['written']))
    const result = (name: string) => ({ sink: 'tsdb', result: name })
    assert.equal(metrics.value('warden_sink_readback_points_total', result('same')), 120)
    const absent = contractPoints(2, { metric: 'warden.never.count' })
    assert.deepEqual(await reader.read([...absent, ...points.slice(0, 1)], never), [
      undefined,
      undefined,
      points[0]?.value,
    ])
  })
})

const sorted = (values: ReadonlyMap<string, number>) =>
  [...values].sort(([a], [b]) => (a < b ? -1 : 1))
