/**
 * Bytes a point and query times of the embedded store:
 *   node --import tsx test/bench/store.ts [--points 1000000] [--series 1000] [--values counts|floats] [--together 1]
 * Points are hourly, over as many series as given, written as the pipeline writes them: hour by hour, all series at once, or as
 * it does when it catches up: several hours together.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { parseArgs } from 'node:util'
import { LmdbPointStore } from '../../src/store/lmdb-point-store.ts'
import type { StorePoint } from '../../src/store/point-store.ts'
import { parseMetricExpression } from '../../src/store/query/metric-expression.ts'
import { queryAnswer } from '../../src/store/query/query-answer.ts'
import { defaultQueryLimits, runQuery } from '../../src/store/query/run-query.ts'
import { checkedQuery } from '../../src/store/query/store-query.ts'

const { values: options } = parseArgs({
  options: {
    points: { type: 'string', default: '1000000' },
    series: { type: 'string', default: '1000' },
    values: { type: 'string', default: 'floats' },
    together: { type: 'string', default: '1' },
  },
})
const RUNS = 7
const HOUR_MS = 3_600_000
const seriesCount = Number(options.series)
const together = Number(options.together)
const hours = Math.ceil(Number(options.points) / seriesCount)
const end = 1_795_132_800_000
const start = end - hours * HOUR_MS

const directory = await mkdtemp(join(tmpdir(), 'warden-bench-store-'))
const store = new LmdbPointStore(directory)
try {
  await fill()
  const month = Math.min(hours, 720)
  for (const expression of [
    'sum:orders.count',
    'zimsum:orders.count',
    'sum:1h-sum:orders.count',
    'sum:1d-avg-zero:orders.count',
    'sum:orders.count{region=*}',
    'sum:rate:orders.count',
    'none:orders.count{shop=shop-1|shop-2}',
    'p99:orders.count',
  ]) {
    measure(expression, month)
  }
} finally {
  await store.close()
  await rm(directory, { recursive: true, force: true })
}

async function fill(): Promise<void> {
  const tags = Array.from({ length: seriesCount }, (_, at) => ({
    shop: `shop-${at}`,
    region: `region-${at % 10}`,
  }))
  const startedAt = performance.now()
  const cpuBefore = cpuMs()
  for (let from = 0; from < hours; from += together) {
    const points: StorePoint[] = []
    for (let hour = from; hour < Math.min(hours, from + together); hour++) {
      for (const [at, one] of tags.entries()) points.push(pointOf(hour, at, one))
    }
    await store.write(points)
  }
  const seconds = (performance.now() - startedAt) / 1_000
  const written = hours * seriesCount
  const bytes = store.sizeBytes()
  console.log(`${written} points of ${seriesCount} series, ${options.values}`)
  const cpuUs = ((cpuMs() - cpuBefore) * 1_000) / written
  console.log(
    `write    ${Math.round(written / seconds)} points/s, ${cpuUs.toFixed(1)} µs CPU a point, a durable commit every ${seriesCount * together}`,
  )
  console.log(`size     ${bytes} bytes, ${(bytes / written).toFixed(2)} bytes/point`)
}

function pointOf(hour: number, at: number, tags: StorePoint['tags']): StorePoint {
  const count = (hour * 31 + at * 17) % 5_000
  return {
    metric: 'orders.count',
    tags,
    timeMs: start + hour * HOUR_MS,
    value: options.values === 'counts' ? count : count * 1.1 + 0.007,
    integer: false,
    incarnation: 1,
    // Late data changes every 50th window.
    revision: (hour + at) % 50 === 0 ? 1 : 0,
  }
}

/** Time that the process spent on processors: a busy machine does not change it much. */
function cpuMs(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1_000
}

function measure(expression: string, month: number): void {
  const times: number[] = []
  const cpuBefore = cpuMs()
  let answerBytes = 0
  for (let run = 0; run < RUNS; run++) {
    const startedAt = performance.now()
    const query = checkedQuery(
      {
        start: String(end - month * HOUR_MS),
        end: String(end),
        timezone: undefined,
        useCalendar: false,
        msResolution: false,
        showQuery: false,
        showTsuids: false,
        noAnnotations: false,
        globalAnnotations: false,
        delete: false,
        queries: [parseMetricExpression(expression)],
      },
      end,
    )
    const steps = runQuery(query, store, defaultQueryLimits)
    let step = steps.next()
    while (step.done !== true) step = steps.next()
    answerBytes = queryAnswer(query, step.value, [], false).length
    times.push(performance.now() - startedAt)
  }
  const [first = 0, ...warm] = times
  const median = warm.sort((left, right) => left - right)[warm.length >> 1] ?? 0
  console.log(
    `query    ${expression.padEnd(40)} first ${first.toFixed(0)} ms, median ${median.toFixed(0)} ms, CPU ${((cpuMs() - cpuBefore) / RUNS).toFixed(0)} ms, ${answerBytes} bytes`,
  )
}
