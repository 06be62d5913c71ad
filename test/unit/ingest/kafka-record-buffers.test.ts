import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { RecordBuffers } from '../../../src/ingest/kafka-record-buffers.ts'

const mebibyte = 1024 * 1024

test('records are copied out of the chunks in order, whatever was in the memory before', () => {
  const buffers = new RecordBuffers()
  const chunks = fc.array(fc.uint8Array({ minLength: 1, maxLength: 3 }), { maxLength: 5 })
  fc.assert(
    fc.property(chunks, fc.integer({ min: 0, max: 200_000 }), (some, more) => {
      const all = [...some, new Uint8Array(more).fill(some.length)]
      const expected = Buffer.concat(all)
      const copy = buffers.copyOf(all, expected.length)
      assert.ok(copy.equals(expected))
      buffers.giveBack(copy)
    }),
  )
})

test('memory that was given back is used again, and only once', () => {
  const buffers = new RecordBuffers()
  const chunk = new Uint8Array(mebibyte - 100)
  const first = buffers.copyOf([chunk], chunk.length)
  buffers.giveBack(first.subarray(0, 1000))
  buffers.giveBack(first)
  assert.equal(buffers.idleBytes, mebibyte)
  const second = buffers.copyOf([chunk], chunk.length)
  assert.equal(second.buffer, first.buffer)
  const third = buffers.copyOf([chunk], chunk.length)
  assert.notEqual(third.buffer, second.buffer)
})

test('memory of others is not taken', () => {
  const buffers = new RecordBuffers()
  buffers.giveBack(Buffer.alloc(mebibyte))
  buffers.giveBack(buffers.copyOf([new Uint8Array(100)], 100))
  assert.equal(buffers.idleBytes, 0)
})

test('what is kept for later is bounded', () => {
  const buffers = new RecordBuffers()
  const chunk = new Uint8Array(mebibyte)
  const lent = Array.from({ length: 20 }, () => buffers.copyOf([chunk], chunk.length))
  for (const one of lent) buffers.giveBack(one)
  assert.equal(buffers.idleBytes, 8 * mebibyte)
})
