import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { reservePorts } from '../../support/free-ports.ts'
import type { ExpectedCell } from './events.ts'
import { type Measured, pidOf, Stopwatch } from './measure.ts'

export interface WardenRun {
  /** `bin/warden.js` of a built checkout. */
  readonly program: string
  readonly bootstrap: string
  readonly topic: string
  readonly records: number
  readonly expected: ReadonlyMap<string, ExpectedCell>
  /** How long a window stays in memory after its end, as in the config. */
  readonly allowedLateness: string
  /** Arguments for Node. */
  readonly nodeArguments: readonly string[]
}

const shortestPollMs = 50
const longestPollMs = 500
/** Longest time without progress. */
const stallMs = 60_000

/**
 * The whole job, as its users run it. Time: from the log line that reading begins to the poll of /metrics that shows every
 * record counted, which is up to 0.25 s late. Rejects when a point in the sink is not what it must be.
 */
export async function measureWarden(run: WardenRun): Promise<Measured> {
  const directory = await mkdtemp(join(tmpdir(), 'warden-bench-'))
  const ports = await reservePorts(1)
  const child = await startWarden(run, directory, ports.ports[0] ?? 0)
  try {
    const watch = await readingBegins(child)
    await untilCounted(child, `http://127.0.0.1:${ports.ports[0]}/metrics`, run.records)
    const seconds = watch.seconds()
    const points = await untilWritten(child, join(directory, 'points.jsonl'), run.expected.size)
    comparePoints(points, run.expected)
    const measured = watch.stop(run.records, seconds)
    child.kill('SIGTERM')
    if (child.exitCode === null) await once(child, 'exit')
    if (child.exitCode !== 0) throw new Error(`Warden ended with ${child.exitCode}`)
    return measured
  } finally {
    child.kill('SIGKILL')
    ports.release()
    await rm(directory, { recursive: true, force: true })
  }
}

async function startWarden(run: WardenRun, directory: string, port: number): Promise<ChildProcess> {
  const config = {
    job: 'bench',
    stateDir: join(directory, 'state'),
    sources: {
      orders: {
        type: 'kafka',
        brokers: [run.bootstrap],
        topics: [run.topic],
        from: 'earliest',
        event: { time: 'eventTime', user: 'userId', outcome: 'status' },
      },
    },
    metrics: {
      loan: {
        where: 'event == "loan" and amount >= 0',
        window: { size: '1h' },
        allowedLateness: run.allowedLateness,
        dimensions: ['bizLine', 'product'],
        outcomes: ['fail', 'success'],
        dedup: { keep: 'best' },
        aggregates: [
          'count',
          'events',
          'users',
          { rate: { success: ['success'] } },
          { rawRate: { success: ['success'] } },
        ],
      },
    },
    sinks: { points: { type: 'file', path: join(directory, 'points.jsonl') } },
    checkpoint: { interval: '10s' },
    server: { listen: `127.0.0.1:${port}` },
  }
  const file = join(directory, 'bench.yaml')
  await writeFile(file, JSON.stringify(config, undefined, 2))
  return spawn(process.execPath, [...run.nodeArguments, run.program, 'run', '-c', file], {
    stdio: ['ignore', 'inherit', 'pipe'],
  })
}

/** Shows what is worse than INFO. */
async function readingBegins(child: ChildProcess): Promise<Stopwatch> {
  if (child.stderr === null) throw new Error('no log of Warden')
  const lines = createInterface({ input: child.stderr })
  return new Promise((resolve, reject) => {
    lines.on('line', (line) => {
      if (line.includes('"reads Kafka topics"')) resolve(new Stopwatch(pidOf(child)))
      else if (!line.includes('"level":"info"')) process.stderr.write(`${line}\n`)
    })
    lines.once('close', () => reject(new Error('Warden ended before it read anything')))
  })
}

/** Asks seldom at first, since asking costs Warden time too, and often towards the end. */
async function untilCounted(child: ChildProcess, url: string, records: number): Promise<void> {
  let before = 0
  let movedAt = performance.now()
  let waitMs = longestPollMs
  for (;;) {
    await sleep(waitMs)
    if (child.exitCode !== null) throw new Error(`Warden ended with ${child.exitCode}`)
    const text = await (await fetch(url)).text()
    const counted = Number(/^warden_records_total\{[^}]*\} (\d+)/m.exec(text)?.[1] ?? 0)
    if (counted >= records) return
    const now = performance.now()
    if (counted > before) {
      const msToEnd = ((records - counted) * (now - movedAt)) / (counted - before)
      waitMs = Math.max(shortestPollMs, Math.min(longestPollMs, msToEnd / 2))
      movedAt = now
    }
    before = counted
    if (now - movedAt > stallMs) {
      throw new Error(`Warden stands at ${counted} of ${records} records`)
    }
  }
}

interface Point {
  readonly metric: string
  readonly tags: Readonly<Record<string, string>>
  /** Epoch seconds. */
  readonly timestamp: number
  readonly value: number
}

/** The points of the sink by key, once there is one of each expected cell for every aggregate. */
async function untilWritten(
  child: ChildProcess,
  file: string,
  cells: number,
): Promise<ReadonlyMap<string, number>> {
  const deadline = performance.now() + stallMs
  for (;;) {
    const points = new Map<string, number>()
    const lines = (await readFile(file, 'utf8').catch(() => '')).split('\n').slice(0, -1)
    for (const line of lines) {
      const { metric, tags, timestamp, value } = JSON.parse(line) as Point
      points.set(`${metric} ${timestamp * 1000} ${tags.bizLine} ${tags.product}`, Number(value))
    }
    if (points.size >= cells * aggregates.length) return points
    if (child.exitCode !== null || performance.now() > deadline) {
      throw new Error(`${points.size} points of ${cells * aggregates.length} in the sink`)
    }
    await sleep(longestPollMs)
  }
}

const aggregates = [
  ['count', (cell: ExpectedCell) => cell.users.size],
  ['events', (cell: ExpectedCell) => cell.events],
  ['users', (cell: ExpectedCell) => cell.users.size],
  ['rate', (cell: ExpectedCell) => sum(cell.users.values()) / cell.users.size],
  ['rawRate', (cell: ExpectedCell) => cell.rawSuccess / cell.events],
] as const

function comparePoints(
  points: ReadonlyMap<string, number>,
  expected: ReadonlyMap<string, ExpectedCell>,
): void {
  const wrong: string[] = []
  for (const cell of expected.values()) {
    for (const [name, right] of aggregates) {
      const key = `warden.loan.${name} ${cell.windowStart} ${cell.bizLine} ${cell.product}`
      const value = points.get(key)
      if (value !== right(cell)) wrong.push(`${key}: ${value}, not ${right(cell)}`)
    }
  }
  if (wrong.length > 0) {
    throw new Error(`${wrong.length} points are wrong: ${wrong.slice(0, 3).join('; ')}`)
  }
}

function sum(values: Iterable<number>): number {
  let total = 0
  for (const value of values) total += value
  return total
}
