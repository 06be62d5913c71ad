import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { pointKey } from '../../src/sink/data-point.ts'
import { encodeName } from '../../src/sink/point-names.ts'
import type { DataPoint, Sink } from '../../src/sink/sink.ts'

/** A store, and a sink that writes to it. */
export interface SinkMedium {
  readonly sink: Sink
  /** What the store holds: point key → value. */
  stored(): Promise<ReadonlyMap<string, number>> | ReadonlyMap<string, number>
  /** Ends the store; the sink is closed by the suite. */
  dispose(): Promise<void>
}

export interface SinkHarness {
  medium(): Promise<SinkMedium>
}

let nextSeries = 0

/** Points of series that no other test writes: real stores keep what they once had. */
export function contractPoints(count: number, overrides: Partial<DataPoint> = {}): DataPoint[] {
  return Array.from({ length: count }, () => ({
    metric: 'warden.contract.count',
    tags: { series: String(nextSeries++), region: 'eu' },
    timestamp: 1_735_689_600,
    value: 1,
    incarnation: 0,
    revision: 0,
    ...overrides,
  }))
}

const never = new AbortController().signal

/** What every sink promises; see `Sink`. */
export function sinkContract(name: string, harness: SinkHarness): void {
  describe(`${name} keeps the contract of a sink`, () => {
    const claim = (text: string, check: (medium: SinkMedium) => Promise<void>) => {
      it(text, async () => {
        const medium = await harness.medium()
        try {
          await check(medium)
        } finally {
          await medium.sink.close()
          await medium.dispose()
        }
      })
    }

    claim('what it calls written is in the store', async ({ sink, stored }) => {
      const points = contractPoints(700).map((point, value) => ({ ...point, value }))
      const result = await sink.write(points, never)
      assert.equal(result.failed, false)
      assert.deepEqual(new Set(result.outcomes.map(({ kind }) => kind)), new Set(['written']))
      assert.equal(result.outcomes.length, points.length)
      const held = await stored()
      for (const point of points) assert.equal(held.get(pointKey(point)), point.value)
    })

    claim(
      'a later revision replaces the earlier one, whatever kind of number it is',
      async ({ sink, stored }) => {
        const [point] = contractPoints(1)
        assert.ok(point)
        const values = [5, 5.5, 1000, 0, -3, 70_000.25, 3e9, 0.1, 2 ** 53, 12]
        for (const [revision, value] of values.entries()) {
          const result = await sink.write([{ ...point, value, revision }], never)
          assert.equal(result.outcomes[0]?.kind, 'written')
          assert.equal((await stored()).get(pointKey(point)), value)
        }
      },
    )

    claim('the same point twice is the point once', async ({ sink, stored }) => {
      const points = contractPoints(3)
      await sink.write(points, never)
      const before = (await stored()).size
      await sink.write(points, never)
      assert.equal((await stored()).size, before)
    })

    claim('numbers arrive exactly, the largest and smallest too', async ({ sink, stored }) => {
      const values = [
        1e21,
        1.5e300,
        -1e300,
        1e-7,
        5e-324,
        Number.MAX_SAFE_INTEGER,
        1 / 3,
        123456.789,
      ]
      const points = contractPoints(values.length).map((point, i) => ({
        ...point,
        value: values[i] ?? 0,
      }))
      const result = await sink.write(points, never)
      assert.deepEqual(new Set(result.outcomes.map(({ kind }) => kind)), new Set(['written']))
      const held = await stored()
      for (const point of points) assert.equal(held.get(pointKey(point)), point.value)
    })

    claim('any text is taken as an encoded name', async ({ sink, stored }) => {
      const texts = [
        '',
        ' ',
        '温度',
        '湿度',
        'a:b',
        '😀',
        '_x20_',
        'x'.repeat(300),
        'é',
        'a,b{c}*"\\',
      ]
      const points = contractPoints(texts.length).map((point, i) => ({
        ...point,
        tags: { ...point.tags, [encodeName(`k ${i}`)]: encodeName(texts[i] ?? '') },
        value: i,
      }))
      const result = await sink.write(points, never)
      assert.deepEqual(new Set(result.outcomes.map(({ kind }) => kind)), new Set(['written']))
      const held = await stored()
      for (const point of points) assert.equal(held.get(pointKey(point)), point.value)
    })

    claim('writes at the same time don’t disturb each other', async ({ sink, stored }) => {
      const batches = Array.from({ length: 4 }, (_, value) => contractPoints(50, { value }))
      const results = await Promise.all(batches.map((batch) => sink.write(batch, never)))
      for (const { outcomes } of results) {
        assert.deepEqual(new Set(outcomes.map(({ kind }) => kind)), new Set(['written']))
      }
      const held = await stored()
      for (const point of batches.flat()) assert.equal(held.get(pointKey(point)), point.value)
    })

    claim(
      'a write that is stopped still ends with an outcome for every point',
      async ({ sink }) => {
        const stop = new AbortController()
        stop.abort()
        const points = contractPoints(2)
        const { outcomes } = await sink.write(points, stop.signal)
        assert.equal(outcomes.length, 2)
        for (const outcome of outcomes) assert.notEqual(outcome.kind, 'refused')
      },
    )

    claim('nothing to write is written', async ({ sink }) => {
      const result = await sink.write([], never)
      assert.deepEqual(result, { outcomes: [], retryAfterMs: undefined, failed: false })
    })
  })
}
