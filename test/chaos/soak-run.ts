import { setTimeout as sleep } from 'node:timers/promises'
import { capacityOf, untilCaughtUp } from '../bench/latency/capacity.ts'
import { type Counts, differences } from '../bench/load/expected-counts.ts'
import { LiveLoadChild } from '../bench/load/live-load-child.ts'
import { rssOf } from '../bench/peers/process-tree.ts'
import { stallProbe, stallsOf, worstStallMs } from '../bench/peers/stalls.ts'
import { wardenCounts } from '../bench/peers/warden-counts.ts'
import { sumOf, WardenRun } from '../bench/peers/warden-run.ts'
import { startKafka } from '../support/kafka-service.ts'
import { until } from '../support/until.ts'

export interface SoakOptions {
  readonly seconds: number
  /** Of the capacity, 0–1. */
  readonly share: number
  /** Events per second; undefined: to be measured first. */
  readonly capacity: number | undefined
  readonly windowMs: number
  readonly lanes: number
  readonly users: number
  readonly program: string | undefined
}

export interface SoakSample {
  readonly second: number
  readonly counted: number
  readonly lagEvents: number
  readonly rssBytes: number
  /** Of the main thread. */
  readonly heapBytes: number
  /** On disk: the LMDB file never shrinks, so that it stays as it is where pages are used again. */
  readonly stateBytes: number
  /** Sum of what the checkpoints seen so far wrote: an estimate by samples. */
  readonly writtenBytes: number
  readonly worstStallMs: number
}

export interface SoakResult {
  readonly capacity: number
  readonly rate: number
  readonly samples: readonly SoakSample[]
  readonly sent: number
  readonly counted: number
  readonly late: number
  readonly dead: number
  /** Windows that closed and whose counts were compared. */
  readonly windows: number
  /** Counts compared, and how they differ. */
  readonly compared: number
  readonly wrong: readonly string[]
}

const topic = 'soak'
const partitions = 4
const sampleMs = 10_000
const outOfOrdernessMs = 5_000
/** Of each partition; what is older than that and unread would be lost, and Warden would stop and say so. */
const retentionBytes = 2 ** 30

/** Live events for hours at a share of what Warden can do; resolves with what was seen, right or not. */
export async function soak(options: SoakOptions): Promise<SoakResult> {
  const kafka = await startKafka()
  const { bootstrap } = kafka
  const { windowMs, lanes, users, program } = options
  let load: LiveLoadChild | undefined
  let run: WardenRun | undefined
  try {
    await kafka.createTopic(topic, partitions, {
      'retention.bytes': String(retentionBytes),
      'segment.bytes': String(retentionBytes / 8),
    })
    load = new LiveLoadChild({ bootstrap, topic, partitions, windowMs, outOfOrdernessMs, users })
    const setup = {
      ...{ bootstrap, topic, lanes, windowSize: `${windowMs / 1000}s` },
      ...{ outOfOrderness: `${outOfOrdernessMs / 1000}s`, allowedLateness: '30s' },
    }
    run = await WardenRun.start(setup, program, stallProbe)
    await until('Warden reads', async () => run !== undefined && (await run.metrics()).size > 0)
    const capacity = options.capacity ?? (await load.orFailure(capacityOf(run, load)))
    await load.orFailure(untilCaughtUp(run, load))
    const rate = capacity * options.share
    load.setRate(rate)
    const samples = await load.orFailure(sampled(run, load, options.seconds))
    const expected = await load.stop()
    return { capacity, rate, samples, ...(await settled(run, load.events, expected, windowMs)) }
  } finally {
    load?.terminate()
    await run?.remove()
    await kafka.stop()
  }
}

async function sampled(run: WardenRun, load: LiveLoadChild, seconds: number) {
  const samples: SoakSample[] = []
  const startedAt = performance.now()
  let checkpoints = 0
  let writtenBytes = 0
  // What was before is none of the soak's.
  await stallsOf(run)
  for (;;) {
    const second = (performance.now() - startedAt) / 1000
    const figures = await run.metrics()
    const counted = sumOf(figures, 'warden_records_total')
    const made = sumOf(figures, 'warden_checkpoint_duration_seconds_count')
    writtenBytes += (made - checkpoints) * sumOf(figures, 'warden_checkpoint_size_bytes')
    checkpoints = made
    const stalls = await stallsOf(run)
    samples.push({
      second,
      counted,
      lagEvents: load.events - counted,
      rssBytes: rssOf(run.pids),
      heapBytes: stalls.heapBytes,
      stateBytes: sumOf(figures, 'warden_state_bytes'),
      writtenBytes,
      worstStallMs: worstStallMs(stalls),
    })
    if (second >= seconds) return samples
    await sleep(sampleMs - ((performance.now() - startedAt) % sampleMs))
  }
}

/** After the last event: everything counted, and every window that closed compared but the first, in which reading began. */
async function settled(run: WardenRun, sent: number, expected: Counts, windowMs: number) {
  const counted = async () => sumOf(await run.metrics(), 'warden_records_total')
  await until('everything is counted', async () => (await counted()) >= sent, 120_000, 200)
  const starts = [...expected.keys()].map((key) => Number(key.split(' ')[1]))
  const first = Math.min(...starts)
  // The last two may not have closed: no event comes after them.
  const endMs = Math.max(...starts) - windowMs
  const within = (counts: Counts) =>
    new Map(
      [...counts].filter(([key]) => {
        const start = Number(key.split(' ')[1])
        return start > first && start < endMs
      }),
    )
  const right = within(expected)
  let wrong: string[] = []
  await until('the points are right', async () => {
    wrong = differences(right, within(await wardenCounts(run.directory)), endMs)
    return wrong.length === 0
  }).catch(() => {})
  const figures = await run.metrics()
  await run.stop()
  return {
    sent,
    counted: sumOf(figures, 'warden_records_total'),
    late: sumOf(figures, 'warden_late_events_total'),
    dead: sumOf(figures, 'warden_dead_letters_total'),
    windows: new Set([...right.keys()].map((key) => key.split(' ')[1])).size,
    compared: right.size,
    wrong,
  }
}
