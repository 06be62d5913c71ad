import { mkdir, open } from 'node:fs/promises'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { WardenError } from '../core/errors.ts'
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

const showEveryMs = 2_000
/** Default of `maxFutureSkew`. */
const usualSkewMs = 600_000

/** Writes lending events for trials; returns how many. @throws WardenError `sink_unreachable` when Kafka does not take them */
export async function generate(options: GenerateOptions, stop: AbortSignal): Promise<number> {
  const plan = {
    seed: options.seed,
    start: epochMs(options.start),
    eventsPerSecond: options.density,
    users: options.users,
    partitions: 1,
  }
  const limit = options.limit ?? Number.POSITIVE_INFINITY
  // A tenth of a second at a time, so that a low rate is a steady one.
  const portion = options.rate > 0 ? Math.ceil(options.rate / 10) : Number.POSITIVE_INFINITY
  const events = new LendingEvents(plan, 0)
  const target = await openTarget(options.to)
  const progress = new Progress(options)
  try {
    for (let number = 0; ; number++) {
      const slice = events.slice(number)
      progress.reached(events.startOf(number))
      for (let from = 0; from < slice.count; ) {
        const to = Math.min(slice.count, from + portion, from + limit - progress.written)
        await target.write(slice, from, to)
        const aheadMs = progress.wrote(to - from)
        from = to
        if (progress.written >= limit || stop.aborted) return progress.written
        if (aheadMs > 5) await sleep(aheadMs, undefined, { signal: stop }).catch(() => {})
      }
    }
  } finally {
    await target.close()
  }
}

/** How far it is, told to the one who waits. */
class Progress {
  written = 0
  readonly #options: GenerateOptions
  readonly #begun = performance.now()
  #shown = this.#begun
  #warned = false

  constructor(options: GenerateOptions) {
    this.#options = options
  }

  /** @returns by how many ms it is ahead of the rate */
  wrote(events: number): number {
    this.written += events
    const now = performance.now()
    const { rate, print } = this.#options
    if (now - this.#shown > showEveryMs) {
      this.#shown = now
      const perSecond = Math.round((this.written * 1000) / (now - this.#begun))
      print(`${this.written} events, ${perSecond} per second\n`)
    }
    return rate > 0 ? (this.written * 1000) / rate - (now - this.#begun) : 0
  }

  /** Event time has come so far. */
  reached(eventTime: number): void {
    if (this.#warned || eventTime <= Date.now() + usualSkewMs) return
    this.#warned = true
    this.#options.print(
      'event time is now more than 10 minutes ahead of the clock: by default such events are dead letters; an earlier --start, a larger --density or a lower --rate avoids it\n',
    )
  }
}

interface Target {
  /** Writes lines `from`…`to` (exclusive) of the slice. */
  write(slice: LendingSlice, from: number, to: number): Promise<void>
  close(): Promise<void>
}

const startOf = (slice: LendingSlice, line: number): number => slice.ends[line - 1] ?? 0

async function openTarget(to: GenerateOptions['to']): Promise<Target> {
  return to.kind === 'kafka' ? await topicTarget(to.brokers, to.topic) : await fileTarget(to.path)
}

async function topicTarget(brokers: readonly string[], topic: string): Promise<Target> {
  const failed = (cause: unknown) => {
    const reason = cause instanceof Error ? cause.message : String(cause)
    const message = `can't write to topic ${topic} at ${brokers.join(', ') || 'no broker'}: ${reason}`
    return new WardenError('sink_unreachable', message, { cause })
  }
  const producer = await createEventProducer({ brokers, topic }).catch((cause) => {
    throw failed(cause)
  })
  return {
    async write(slice, from, to) {
      const lines = Array.from({ length: to - from }, (_, index) => ({
        key: slice.keys[from + index],
        // Without the line end.
        value: slice.bytes.subarray(
          startOf(slice, from + index),
          startOf(slice, from + index + 1) - 1,
        ),
      }))
      await producer.send(lines).catch((cause) => {
        throw failed(cause)
      })
    },
    close: () => producer.close(),
  }
}

async function fileTarget(path: string): Promise<Target> {
  await mkdir(dirname(path), { recursive: true })
  const file = await open(path, 'a')
  return {
    async write(slice, from, to) {
      const bytes = slice.bytes.subarray(startOf(slice, from), startOf(slice, to))
      // The system may take less than all of it.
      for (let at = 0; at < bytes.length; ) {
        const { bytesWritten } = await file.write(bytes, at)
        at += bytesWritten
      }
    },
    close: () => file.close(),
  }
}
