import { once } from 'node:events'
import { createWriteStream, mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { epochMs } from '../core/time.ts'
import { createEventProducer } from '../ingest/kafka-producer.ts'
import { LendingEvents, type LendingSlice } from '../ingest/lending-events.ts'

export interface GenerateOptions {
  readonly to:
    | { readonly kind: 'kafka'; readonly brokers: readonly string[]; readonly topic: string }
    | { readonly kind: 'file'; readonly path: string }
  /** Events per second of processing time; 0: as fast as they are taken. */
  readonly rate: number
  /** Events in all; undefined: until stopped. */
  readonly limit: number | undefined
  readonly users: number
  readonly seed: number
  /** Events per second of event time. */
  readonly density: number
  /** Where event time starts, epoch ms. */
  readonly start: number
  readonly print: (text: string) => void
}

/** Writes lending events for trials; returns how many. */
export async function generate(options: GenerateOptions, stop: AbortSignal): Promise<number> {
  const plan = {
    seed: options.seed,
    start: epochMs(options.start),
    eventsPerSecond: options.density,
    users: options.users,
    partitions: 1,
  }
  const target = await openTarget(options.to)
  const begun = performance.now()
  let written = 0
  let shown = begun
  try {
    for (const slice of new LendingEvents(plan, 0).from(0)) {
      const left = (options.limit ?? Number.POSITIVE_INFINITY) - written
      const count = Math.min(slice.count, left)
      await target.write(slice, count)
      written += count
      const now = performance.now()
      if (now - shown > 2_000) {
        shown = now
        options.print(
          `${written} events, ${Math.round((written * 1000) / (now - begun))} per second\n`,
        )
      }
      if (written >= (options.limit ?? Number.POSITIVE_INFINITY) || stop.aborted) break
      const aheadMs = options.rate > 0 ? (written * 1000) / options.rate - (now - begun) : 0
      if (aheadMs > 5) await sleep(aheadMs, undefined, { signal: stop }).catch(() => {})
    }
  } finally {
    await target.close()
  }
  return written
}

interface Target {
  /** Writes the first `count` lines of the slice. */
  write(slice: LendingSlice, count: number): Promise<void>
  close(): Promise<void>
}

async function openTarget(to: GenerateOptions['to']): Promise<Target> {
  if (to.kind === 'kafka') {
    const producer = await createEventProducer({ brokers: to.brokers, topic: to.topic })
    return {
      async write(slice, count) {
        const lines = Array.from({ length: count }, (_, index) => {
          const from = index === 0 ? 0 : (slice.ends[index - 1] ?? 0)
          const value = slice.bytes.subarray(from, (slice.ends[index] ?? 1) - 1)
          return { key: slice.keys[index], value }
        })
        await producer.send(lines)
      },
      close: () => producer.close(),
    }
  }
  mkdirSync(dirname(to.path), { recursive: true })
  const file = createWriteStream(to.path, { flags: 'a' })
  await once(file, 'open')
  return {
    async write(slice, count) {
      if (!file.write(slice.bytes.subarray(0, slice.ends[count - 1] ?? 0)))
        await once(file, 'drain')
    },
    async close() {
      file.end()
      await once(file, 'close')
    },
  }
}
