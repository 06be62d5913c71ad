import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { OpentsdbReader } from '../../../src/sink/opentsdb-reader.ts'
import { OpentsdbSink, opentsdbSinkOptions } from '../../../src/sink/opentsdb-sink.ts'
import { type PointReader, VerifiedSink } from '../../../src/sink/verified-sink.ts'
import { contractPoints } from '../../contract/sink.ts'
import { FakeOpentsdb } from '../../support/fake-opentsdb.ts'
import { RecordingMetrics } from '../../support/recording-metrics.ts'

const never = new AbortController().signal
const kinds = (outcomes: readonly { readonly kind: string }[]) => outcomes.map(({ kind }) => kind)

describe('VerifiedSink over OpenTSDB', () => {
  let server: FakeOpentsdb
  let metrics: RecordingMetrics

  beforeEach(async () => {
    server = new FakeOpentsdb()
    await server.start()
    metrics = new RecordingMetrics()
  })
  afterEach(() => server.stop())

  const connect = (share: number, reader?: PointReader, random = () => 0.5) => {
    const options = { url: server.url, timeoutMs: 5_000 }
    return new VerifiedSink(
      new OpentsdbSink(opentsdbSinkOptions({ name: 'tsdb', ...options })),
      reader ?? new OpentsdbReader({ ...options, headers: {} }),
      share,
      { metrics, random },
    )
  }
  const read = (result: string) =>
    metrics.value('warden_sink_readback_points_total', { sink: 'tsdb', result }) ?? 0

  it('calls written what reads back as it was sent', async () => {
    const sink = connect(1)
    const points = contractPoints(120).map((point, i) => ({
      ...point,
      value: [1e21, -1e300, 5e-324, 1 / 3, 0, i][i % 6] ?? 0,
      timestamp: 1_735_689_600 + (i % 2) * 3_600,
    }))
    const { outcomes, failed } = await sink.write(points, never)
    assert.deepEqual(new Set(kinds(outcomes)), new Set(['written']))
    assert.equal(failed, false)
    assert.equal(read('same'), 120)
    assert.equal(server.queries, 4, '50 series of one time in a request')
    await sink.close()
  })

  it('takes for unwritten what a lying 204 did not store, all of the batch when the sample shows it', async () => {
    const sink = connect(0.01)
    const points = contractPoints(100)
    server.behave = () => ({ kind: 'answer', status: 204, body: '' })
    const lied = await sink.write(points, never)
    assert.deepEqual(new Set(kinds(lied.outcomes)), new Set(['retry']))
    assert.equal(lied.failed, true)
    assert.equal(read('missing'), 100)
    server.behave = () => undefined
    const { outcomes } = await sink.write(points, never)
    assert.deepEqual(new Set(kinds(outcomes)), new Set(['written']))
    assert.equal(read('same'), 1, 'one point of the batch, as the share asks for')
    await sink.close()
  })

  it('writes a point again that reads back as another value', async () => {
    const sink = connect(1)
    const [good, bad] = contractPoints(2)
    assert.ok(good && bad)
    server.behave = ({ points }) => {
      for (const point of points) {
        const isBad = point.tags.series === bad.tags.series
        server.stored.set(`${point.tags.series}`, isBad ? { ...point, value: '7.0' } : point)
      }
      return { kind: 'answer', status: 204, body: '' }
    }
    const { outcomes, failed } = await sink.write([good, bad], never)
    assert.deepEqual(kinds(outcomes), ['written', 'retry'])
    assert.equal(failed, false)
    assert.equal(read('different'), 1)
    const again: string[] = []
    for (let i = 0; i < 4; i++) again.push(...kinds((await sink.write([bad], never)).outcomes))
    assert.deepEqual(again, ['retry', 'retry', 'retry', 'refused'], 'somebody else writes it')
    await sink.close()
  })

  it('believes the acknowledgement when the store can’t be asked', async () => {
    const sink = connect(1, { read: () => Promise.reject(new Error('no answer')) })
    const { outcomes } = await sink.write(contractPoints(3), never)
    assert.deepEqual(new Set(kinds(outcomes)), new Set(['written']))
    assert.equal(read('unread'), 3)
    await sink.close()
  })

  it('asks for each series alone when one name is not known', async () => {
    const reader = new OpentsdbReader({ url: server.url, timeoutMs: 5_000, headers: {} })
    const [known] = contractPoints(1)
    const [unknown] = contractPoints(1, { metric: 'warden.never.count' })
    assert.ok(known && unknown)
    const sink = connect(1)
    await sink.write([known], never)
    assert.deepEqual(await reader.read([known, unknown], never), [1, undefined])
    await sink.close()
  })
})
