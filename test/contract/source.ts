import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { PartitionPosition, Source, SourceBatch } from '../../src/ingest/source.ts'

/** Something that holds records, and a source that reads it. One test owns one medium. */
export interface SourceMedium {
  /** A new source on the medium, not yet open. */
  source(): Source
  /** All records of each partition, in order; the medium holds them before any source is opened. */
  readonly expected: ReadonlyMap<string, readonly string[]>
  dispose(): Promise<void>
}

export interface SourceHarness {
  /** A medium with at least `records` records in total, so that a source needs several batches for them. */
  medium(records: number): Promise<SourceMedium>
  /** Records of a batch from `fromOffset` on; the default reads lines. */
  records?(batch: SourceBatch): ReadRecord[]
}

export interface ReadRecord {
  readonly offset: number
  readonly value: string
}

/** Records of a batch of lines: each at the offset of its first byte. */
export function lineRecords(batch: SourceBatch): ReadRecord[] {
  const records: ReadRecord[] = []
  let start = 0
  while (start < batch.bytes.length) {
    const at = batch.bytes.indexOf(0x0a, start)
    const end = at < 0 ? batch.bytes.length : at
    const value = batch.bytes.toString('utf8', start, end)
    records.push({ offset: batch.fromOffset + start, value })
    start = end + 1
  }
  return records
}

/** Runs with a signal that aborts after `ms`. Its timer holds the process, so that a source that sleeps for ever fails by name. */
async function within<T>(ms: number, run: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const limit = new AbortController()
  const timer = setTimeout(() => limit.abort(new Error(`nothing came for ${ms} ms`)), ms)
  try {
    return await run(limit.signal)
  } finally {
    clearTimeout(timer)
  }
}

/** Takes the next batch, waiting for it at most 10 s; undefined when the source ended. */
export function nextBatch(source: Source): Promise<SourceBatch | undefined> {
  return within(10_000, async (signal) => {
    for (;;) {
      const batch = source.take()
      if (batch !== undefined) return batch
      if (source.ended()) return undefined
      await source.ready(signal)
    }
  })
}

/** Waits, at most 10 s, until the source shows that it stands at the end of every partition. */
export function untilCaughtUp(source: Source): Promise<void> {
  return within(10_000, async (signal) => {
    while (source.partitions().some((each) => each.caughtUpAt === undefined))
      await source.ready(signal)
  })
}

export function positionsOf(source: Source): Map<string, PartitionPosition> {
  return new Map(source.partitions().map((each) => [each.name, each.position]))
}

const count = (of: ReadonlyMap<string, readonly unknown[]>): number =>
  [...of.values()].reduce((sum, each) => sum + each.length, 0)

/** The suite that every source passes. */
export function sourceContract(name: string, harness: SourceHarness): void {
  const recordsOf = harness.records ?? lineRecords

  /** Reads until `total` records were taken in all; `after` sees each batch's state. */
  async function readAll(
    source: Source,
    total: number,
    after?: (batch: SourceBatch) => void,
  ): Promise<Map<string, ReadRecord[]>> {
    const read = new Map<string, ReadRecord[]>()
    let taken = 0
    while (taken < total) {
      const batch = await nextBatch(source)
      if (batch === undefined) break
      const status = source.partitions()[batch.partition]
      assert.ok(status !== undefined, 'a batch names a known partition')
      const records = recordsOf(batch)
      read.set(status.name, [...(read.get(status.name) ?? []), ...records])
      taken += records.length
      after?.(batch)
    }
    return read
  }

  const values = (read: ReadonlyMap<string, readonly ReadRecord[]>): Map<string, string[]> =>
    new Map([...read].map(([partition, each]) => [partition, each.map((one) => one.value)]))

  async function withMedium(
    records: number,
    run: (
      medium: SourceMedium,
      opened: (from?: Map<string, PartitionPosition>) => Promise<Source>,
    ) => Promise<void>,
  ): Promise<void> {
    const medium = await harness.medium(records)
    const sources = new Set<Source>()
    try {
      await run(medium, async (from = new Map()) => {
        for (const each of sources) await each.close()
        sources.clear()
        const source = medium.source()
        sources.add(source)
        await source.open(from)
        return source
      })
    } finally {
      for (const each of sources) await each.close()
      await medium.dispose()
    }
  }

  describe(`${name} keeps the contract of a source`, () => {
    it('delivers every record once and in order, offsets ascending', () =>
      withMedium(400, async (medium, opened) => {
        const source = await opened()
        const read = await readAll(source, count(medium.expected))
        assert.deepEqual(values(read), new Map(medium.expected))
        for (const records of read.values()) {
          const offsets = records.map((each) => each.offset)
          assert.ok(offsets.every((each, i) => i === 0 || each > (offsets[i - 1] ?? 0)))
        }
      }))

    it('has a position after each batch that is the end of that batch', () =>
      withMedium(200, async (medium, opened) => {
        const source = await opened()
        const ends = new Map<number, number>()
        await readAll(source, count(medium.expected), (batch) => {
          const position = source.partitions()[batch.partition]?.position
          assert.equal(position?.offset, batch.nextOffset)
          for (const { offset } of recordsOf(batch)) {
            assert.ok(offset >= (ends.get(batch.partition) ?? 0), 'no record before the last end')
            assert.ok(offset < batch.nextOffset, 'no record past the end')
          }
          ends.set(batch.partition, batch.nextOffset)
        })
      }))

    it('goes on after any batch as if it had never stopped', () =>
      withMedium(200, async (medium, opened) => {
        const total = count(medium.expected)
        const states: { positions: Map<string, PartitionPosition>; taken: Map<string, number> }[] =
          []
        const taken = new Map<string, number>()
        const source = await opened()
        states.push({ positions: positionsOf(source), taken: new Map() })
        const whole = await readAll(source, total, (batch) => {
          const partition = source.partitions()[batch.partition]?.name ?? ''
          taken.set(partition, (taken.get(partition) ?? 0) + recordsOf(batch).length)
          states.push({ positions: positionsOf(source), taken: new Map(taken) })
        })
        assert.ok(states.length > 3, `only ${states.length} batches: too few to stop between`)
        const step = Math.max(1, Math.floor(states.length / 12))
        for (let i = 0; i < states.length; i += step) {
          const state = states[i]
          if (state === undefined) continue
          const rest = total - [...state.taken.values()].reduce((sum, each) => sum + each, 0)
          const read = await readAll(await opened(state.positions), rest)
          for (const [partition, records] of whole) {
            const expected = records.slice(state.taken.get(partition) ?? 0)
            assert.deepEqual(read.get(partition) ?? [], expected, `after batch ${i}`)
          }
        }
      }))

    it('reads a held partition on only when it is let go, and never calls it caught up', () =>
      withMedium(100, async (medium, opened) => {
        const source = await opened()
        source.partitions().forEach((_, i) => {
          source.hold(i, true)
        })
        await within(50, async (signal) => {
          while (!signal.aborted) {
            assert.equal(source.take(), undefined)
            await source.ready(signal).catch(() => undefined)
          }
        })
        assert.ok(source.partitions().every((each) => each.caughtUpAt === undefined))
        assert.equal(source.ended(), false)
        source.partitions().forEach((_, i) => {
          source.hold(i, false)
        })
        const read = await readAll(source, count(medium.expected))
        assert.deepEqual(values(read), new Map(medium.expected))
      }))

    it('knows when everything was taken', () =>
      withMedium(100, async (medium, opened) => {
        const source = await opened()
        assert.equal(source.ended(), false)
        await readAll(source, count(medium.expected))
        if (source.bounded) {
          assert.equal(await nextBatch(source), undefined)
          assert.equal(source.ended(), true)
        } else {
          await untilCaughtUp(source)
          assert.equal(source.ended(), false)
          for (const each of source.partitions()) assert.equal(each.lag, 0)
        }
      }))

    it('stops waiting when the signal says so', () =>
      withMedium(20, async (medium, opened) => {
        const source = await opened()
        await readAll(source, count(medium.expected))
        if (source.bounded) return
        const stop = new AbortController()
        const waiting = (async () => {
          for (;;) {
            await source.ready(stop.signal)
            assert.equal(source.take(), undefined)
          }
        })()
        stop.abort(new Error('stopped by the test'))
        await assert.rejects(waiting, /stopped by the test/)
      }))

    it('takes note of a durable checkpoint and goes on', () =>
      withMedium(100, async (medium, opened) => {
        const source = await opened()
        const total = count(medium.expected)
        const first = await readAll(source, Math.floor(total / 2))
        await source.checkpointed(positionsOf(source))
        const rest = await readAll(source, total - count(first))
        const all = new Map(
          [...medium.expected.keys()].map((each) => [
            each,
            [...(first.get(each) ?? []), ...(rest.get(each) ?? [])],
          ]),
        )
        assert.deepEqual(values(all), new Map(medium.expected))
      }))
  })
}
