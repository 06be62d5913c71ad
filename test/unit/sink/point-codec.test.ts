import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { epochMs } from '../../../src/core/time.ts'
import { crc32 } from '../../../src/sink/crc32.ts'
import { decodePoints, encodePoints, inspectPoints } from '../../../src/sink/point-codec.ts'
import type { DataPoint } from '../../../src/sink/sink.ts'

const whole = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER })
const text = fc.string({ unit: 'grapheme', maxLength: 12 })
const points: fc.Arbitrary<DataPoint[]> = fc.array(
  fc.record<DataPoint>(
    {
      metric: text,
      tags: fc.dictionary(text, text, { maxKeys: 8, noNullPrototype: true }),
      timestamp: fc.integer(),
      value: fc.double({ noNaN: true }),
      incarnation: whole,
      revision: whole,
    },
    { noNullPrototype: true },
  ),
  { maxLength: 30 },
)

describe('point blocks', () => {
  it('are read back as they were', () => {
    fc.assert(
      fc.property(points, fc.integer(), (block, at) => {
        const bytes = encodePoints(block, epochMs(at))
        assert.deepEqual(decodePoints(bytes, 'x'), { appendedAt: at, points: block })
        assert.deepEqual(inspectPoints(bytes, 'x'), {
          appendedAt: at,
          count: block.length,
          oldest: Math.min(...block.map(({ timestamp }) => timestamp)),
        })
      }),
    )
  })

  it('are refused when any bit is another', () => {
    fc.assert(
      fc.property(points, fc.nat(), fc.integer({ min: 0, max: 7 }), (block, where, bit) => {
        const bytes = encodePoints(block, epochMs(1))
        const at = where % bytes.length
        bytes[at] = (bytes[at] ?? 0) ^ (1 << bit)
        assert.throws(() => decodePoints(bytes, 'x'), { code: 'state_corrupt' })
        assert.throws(() => inspectPoints(bytes, 'x'), { code: 'state_corrupt' })
      }),
    )
  })

  it('are refused when cut short', () => {
    fc.assert(
      fc.property(points, fc.nat(), (block, length) => {
        const bytes = encodePoints(block, epochMs(1))
        const short = bytes.subarray(0, length % bytes.length)
        assert.throws(() => decodePoints(short, 'x'), { code: 'state_corrupt' })
      }),
    )
  })

  it('say which version they can’t read', () => {
    const bytes = encodePoints([], epochMs(1))
    bytes[0] = 9
    assert.throws(() => decodePoints(bytes, 'outbox/1'), {
      message: "outbox/1 can't be read: version 9, this program reads up to 2",
    })
  })

  it('are read as version 1 wrote them, without the oldest timestamp', () => {
    const block = [1_735_693_200, 1_735_689_600].map((timestamp) => ({
      metric: 'm',
      tags: { a: 'b' },
      timestamp,
      value: 1,
      incarnation: 1,
      revision: 0,
    }))
    const now = encodePoints(block, epochMs(7))
    const old = new Uint8Array([1, ...now.subarray(1, 13), ...now.subarray(21)])
    new DataView(old.buffer).setUint32(1, crc32(old.subarray(5)), true)
    assert.deepEqual(decodePoints(old, 'x'), { appendedAt: 7, points: block })
    assert.equal(inspectPoints(old, 'x').oldest, 1_735_689_600)
  })

  it('cost few bytes for points of the same series', () => {
    const block = Array.from({ length: 500 }, (_, i) => ({
      metric: ['warden.loan.count', 'warden.loan.rate'][i % 2] ?? '',
      tags: { product: `p${i % 50}`, channel: 'app', bizLine: 'cash' },
      timestamp: 1_735_689_600,
      value: i / 3,
      incarnation: 1,
      revision: 0,
    }))
    assert.ok(encodePoints(block, epochMs(1)).length / block.length < 30)
  })
})

describe('crc32', () => {
  it('has the check value of the standard', () => {
    assert.equal(crc32(new TextEncoder().encode('123456789')), 0xcbf43926)
  })
})
