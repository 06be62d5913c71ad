import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { WardenError } from '../../../src/core/errors.ts'
import { type EmbeddedPoint, EmbeddedSink } from '../../../src/sink/embedded-sink.ts'
import type { DataPoint } from '../../../src/sink/sink.ts'
import { nameTrouble } from '../../../src/store/api/put-points.ts'

const point: DataPoint = {
  metric: 'orders.count',
  tags: { 渠道: '微信' },
  timestamp: 1_795_132_800,
  value: 7,
  incarnation: 2,
  revision: 3,
}
const signal = new AbortController().signal

describe('the embedded sink', () => {
  it('writes good points in one call, with their versions, and refuses others with a reason', async () => {
    const calls: (readonly EmbeddedPoint[])[] = []
    const store = { write: async (points: readonly EmbeddedPoint[]) => void calls.push(points) }
    const sink = new EmbeddedSink('embedded', store, nameTrouble)
    const points = [
      point,
      { ...point, tags: {} },
      { ...point, metric: 'a b' },
      { ...point, value: Number.NaN },
    ]
    const { outcomes, failed } = await sink.write(points, signal)
    assert.deepEqual(
      outcomes.map((one) => one.kind),
      ['written', 'refused', 'refused', 'refused'],
    )
    assert.equal(failed, false)
    const { timestamp, ...rest } = point
    assert.deepEqual(calls, [[{ ...rest, timeMs: timestamp * 1_000, integer: false }]])
  })

  it('a store that fails is retried, and nothing of it is unknown', async () => {
    const store = {
      write: () => Promise.reject(new WardenError('state_write_failed', 'disk full')),
    }
    const sink = new EmbeddedSink('embedded', store, nameTrouble)
    assert.deepEqual(await sink.write([point], signal), {
      outcomes: [{ kind: 'retry', reason: 'disk full', unknown: false }],
      retryAfterMs: undefined,
      failed: true,
    })
  })
})
