/** The main job as the end-to-end tests run it: what Warden is told, and the same for the brute-force count. */
import { readFileSync } from 'node:fs'
import { type KafkaAddress, kafkaJs } from '../support/kafka-cluster.ts'
import { until } from '../support/until.ts'
import { totalOf, type WardenHome, type WardenProcess } from '../support/warden-process.ts'
import { lendingMapping, type Mapping } from './brute-force.ts'

export interface LendingJob {
  readonly bootstrap: string
  readonly topic: string
  readonly sinks: Readonly<Record<string, object>>
  readonly group?: string
  readonly checkpointInterval?: string
  /** Which event of a user counts in an hour; `best` by default. */
  readonly keep?: 'first' | 'last' | 'best'
  /** Threads; 2 by default. */
  readonly lanes?: number
}

/** Deduplicated success rate per hour, business line and product, from the beginning of the topic. */
export function lendingConfig(job: LendingJob) {
  return {
    job: 'lending',
    stateDir: './state',
    sources: {
      orders: {
        type: 'kafka',
        brokers: job.bootstrap.split(','),
        topics: [job.topic],
        from: 'earliest',
        ...(job.group === undefined ? {} : { group: job.group }),
        watermark: { outOfOrderness: '20s', idleTimeout: '1m' },
        event: {
          time: { path: 'eventTime', format: 'epoch-ms' },
          user: 'userId',
          outcome: 'status',
          minEventTime: '2000-01-01T00:00:00Z',
          maxFutureSkew: '1h',
        },
      },
    },
    metrics: {
      loan: {
        where: 'event == "loan"',
        window: { size: '1h', slide: '1h' },
        allowedLateness: '10m',
        dimensions: ['bizLine', 'product'],
        outcomes: ['fail', 'success'],
        dedup: { keep: job.keep ?? 'best' },
        aggregates: ['count', 'events', 'users', { rate: { success: ['success'] } }],
      },
    },
    sinks: job.sinks,
    deadLetters: { type: 'file', path: './dead-letters.jsonl' },
    lateEvents: { type: 'file', path: './late-events.jsonl' },
    checkpoint: {
      interval: job.checkpointInterval ?? '10s',
      minPause: '100ms',
    },
    lanes: job.lanes ?? 2,
    shutdown: { timeout: '2m' },
  }
}

export const lendingJobMapping: Mapping = {
  ...lendingMapping,
  dims: ['bizLine', 'product'],
  where: { event: 'loan' },
}

/** The items, until nobody wants more. */
export function* whileOpen<T>(items: Iterable<T>, signal: AbortSignal): Generator<T> {
  for (const item of items) {
    if (signal.aborted) return
    yield item
  }
}

/** Resolves when the offsets that Warden committed to its group, after a checkpoint, are the ends of the partitions. */
export async function untilCommitted(
  address: KafkaAddress,
  topic: string,
  group: string,
): Promise<void> {
  const admin = kafkaJs(address).admin()
  await admin.connect()
  try {
    await until(
      `${group} has committed all of ${topic}`,
      async () => {
        const ends = await admin.fetchTopicOffsets(topic)
        const [committed] = await admin.fetchOffsets({ groupId: group, topics: [topic] })
        const at = new Map(committed?.partitions.map((one) => [one.partition, one.offset]))
        return ends.every(({ partition, high }) => high === '0' || at.get(partition) === high)
      },
      300_000,
      200,
    )
  } finally {
    await admin.disconnect()
  }
}

/** What /metrics says once it tells of so many records; it is brought up to date from time to time only. */
export async function figuresOf(
  warden: WardenProcess,
  records: number,
): Promise<Map<string, number>> {
  return await until(`/metrics tells of ${records} records`, async () => {
    const figures = await warden.metrics()
    return totalOf(figures, 'warden_records_total') >= records && figures
  })
}

/** Where the records of a side output came from. */
export interface SidePositions {
  /** `partition-offset`, sorted; twice where two lines say the same. */
  readonly positions: readonly string[]
  /** Lines by reason. */
  readonly reasons: Readonly<Record<string, number>>
}

/** Reads the dead letters or the late events of a job on one topic. Throws for a line that is not whole. */
export function sidePositions(
  home: WardenHome,
  name: 'dead-letters' | 'late-events',
): SidePositions {
  const positions: string[] = []
  const reasons: Record<string, number> = {}
  const text = readFileSync(home.path(`${name}.jsonl`), 'utf8')
  if (text !== '' && !text.endsWith('\n')) throw new Error(`${name} ends within a line`)
  for (const line of text.split('\n').slice(0, -1)) {
    const { partition, offset, reason } = JSON.parse(line)
    positions.push(`${partition.slice(partition.lastIndexOf('-') + 1)}-${offset}`)
    reasons[reason] = (reasons[reason] ?? 0) + 1
  }
  return { positions: positions.sort(), reasons }
}
