import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { durationMs } from '../../../src/core/time.ts'
import { Circuit } from '../../../src/sink/circuit.ts'

const options = {
  backoff: { initialMs: durationMs(200), maxMs: durationMs(30_000) },
  failuresToOpen: 5,
  connections: 8,
  batchPoints: 800,
  slowMs: 5_000,
}

const make = () => new Circuit(options, () => 0.5)

describe('Circuit', () => {
  it('halves what it asks for when an answer is slow, though nothing failed', () => {
    const circuit = make()
    circuit.succeeded(4_999, 0, false)
    assert.deepEqual([circuit.concurrency, circuit.batchPoints], [8, 800])
    circuit.succeeded(10_000, 5_000, false)
    assert.deepEqual([circuit.concurrency, circuit.batchPoints], [4, 400])
    assert.equal(circuit.state, 'closed')
  })

  it('takes slow answers of one round trip for one overload', () => {
    const circuit = make()
    for (let i = 0; i < 8; i++) circuit.succeeded(6_000 + i, i, false)
    assert.equal(circuit.concurrency, 4)
    circuit.succeeded(13_000, 6_500, false)
    assert.equal(circuit.concurrency, 2)
  })

  it('takes failures of one round trip for one overload', () => {
    const circuit = make()
    for (let i = 0; i < 4; i++) circuit.failed(100 + i, 0, 0)
    assert.deepEqual([circuit.concurrency, circuit.batchPoints], [4, 400])
  })

  it('asks for less when points are refused for now', () => {
    const circuit = make()
    circuit.succeeded(10, 0, true)
    assert.equal(circuit.concurrency, 4)
  })

  it('never asks for less than one small batch, and grows back step by step', () => {
    const circuit = make()
    for (let i = 0; i < 20; i++) circuit.succeeded(10_000 * (i + 1), 10_000 * i + 1, true)
    assert.deepEqual([circuit.concurrency, circuit.batchPoints], [1, 50])
    const seen: number[] = []
    for (let i = 0; i < 60; i++) {
      circuit.succeeded(300_000 + i, 299_000 + i, false)
      seen.push(circuit.concurrency)
    }
    assert.ok(
      seen.every((one, i) => one - (seen[i - 1] ?? 1) <= 1),
      seen.join(),
    )
    assert.deepEqual([circuit.concurrency, circuit.batchPoints], [8, 800])
  })
})
