import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

export interface WardenSetup {
  readonly bootstrap: string
  readonly topic: string
  /** Directory of state and points. */
  readonly directory: string
  /** Undefined for a Warden that does not know the key. */
  readonly lanes: number | undefined
  /** As in the config. */
  readonly allowedLateness?: string
  readonly outOfOrderness?: string
  readonly idleTimeout?: string
  readonly windowSize?: string
  readonly maxSeries?: number
  /** One metric without filter and dimensions: time, user and outcome are all that is read. */
  readonly leastFields?: boolean
  /** Numbers `f1`, `f2` … of each event that the filter looks at. */
  readonly extraFields?: number
  /** Instead of the file sink. */
  readonly sinks?: Readonly<Record<string, object>>
}

/** Points of the file sink. */
export function pointsFile(directory: string): string {
  return join(directory, 'points.jsonl')
}

const aggregates = [
  'count',
  'events',
  'users',
  { rate: { success: ['success'] } },
  { rawRate: { success: ['success'] } },
]

/** The job of the benchmarks: the two metrics of `config/kafka-opentsdb.yaml`, in short. */
export function wardenConfig(setup: WardenSetup): object {
  const window = { size: setup.windowSize ?? '1h' }
  const allowedLateness = setup.allowedLateness ?? '10m'
  const outcomes = ['fail', 'success']
  const common = { window, allowedLateness, outcomes, maxSeries: setup.maxSeries ?? 100_000 }
  const extra = Array.from({ length: setup.extraFields ?? 0 }, (_, i) => ` and f${i + 1} >= 0`)
  return {
    job: 'bench',
    ...(setup.lanes === undefined ? {} : { lanes: setup.lanes }),
    stateDir: join(setup.directory, 'state'),
    sources: {
      orders: {
        type: 'kafka',
        brokers: [setup.bootstrap],
        topics: [setup.topic],
        from: 'earliest',
        watermark: {
          outOfOrderness: setup.outOfOrderness ?? '20s',
          idleTimeout: setup.idleTimeout ?? '1m',
        },
        event: { time: 'eventTime', user: 'userId', outcome: 'status' },
      },
    },
    metrics:
      setup.leastFields === true
        ? { loan: { ...common, dedup: { keep: 'best' }, aggregates } }
        : {
            loan: {
              ...common,
              where: `event == "loan" and amount >= 0${extra.join('')}`,
              dimensions: ['bizLine', 'product'],
              dedup: { keep: 'best' },
              aggregates,
            },
            channel: {
              ...common,
              where: 'event == "loan" and amount >= 0',
              dimensions: ['channel', 'outcome'],
              aggregates: ['count'],
            },
          },
    sinks: setup.sinks ?? { points: { type: 'file', path: pointsFile(setup.directory) } },
    checkpoint: { interval: '10s' },
  }
}

/** Does this build know the top-level key `lanes`? @param program `bin/warden.js` of a checkout */
export function knowsLanes(program: string): boolean {
  const schema = new URL('../config/warden.schema.json', pathToFileURL(program))
  const { properties } = JSON.parse(readFileSync(schema, 'utf8')) as {
    readonly properties: Readonly<Record<string, unknown>>
  }
  return 'lanes' in properties
}
