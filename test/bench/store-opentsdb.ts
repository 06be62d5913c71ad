/**
 * The embedded store and a real OpenTSDB (with HBase, both started here) on the same data, asked the same over HTTP:
 *   node --import tsx test/bench/store-opentsdb.ts [--series 1000] [--hours 720] [--runs 7]
 * Hourly points, a month of 1,000 series by default. Answers are compared before times are; needs what test/services/README.md says.
 */
import { performance } from 'node:perf_hooks'
import { parseArgs } from 'node:util'
import { answerDifference } from '../support/compare-answers.ts'
import { ask } from '../support/http-answer.ts'
import { startOpentsdb } from '../support/opentsdb-service.ts'
import { startStoreServer } from '../support/store-server.ts'
import { VirtualClock } from '../support/virtual-clock.ts'

const { values: options } = parseArgs({
  options: {
    series: { type: 'string', default: '1000' },
    hours: { type: 'string', default: '720' },
    runs: { type: 'string', default: '7' },
  },
})
const seriesCount = Number(options.series)
const hours = Number(options.hours)
const runs = Number(options.runs)
const end = 1_795_132_800
const start = end - hours * 3_600

const opentsdb = await startOpentsdb()
const store = await startStoreServer(new VirtualClock(end * 1_000))
try {
  console.log(`${hours * seriesCount} points: ${seriesCount} series, ${hours} hours`)
  await fill('OpenTSDB', opentsdb.url, 4)
  await fill('embedded', store.url, 1)
  console.log(
    `embedded  ${(store.store.sizeBytes() / (hours * seriesCount)).toFixed(2)} bytes/point`,
  )
  console.log(`${'median of the same query over HTTP, ms'.padEnd(48)} OpenTSDB  embedded  ratio`)
  for (const expression of [
    'sum:orders.count',
    'zimsum:orders.count',
    'sum:1h-sum:orders.count',
    'sum:1d-avg:orders.count',
    'sum:orders.count{region=*}',
    'sum:rate:orders.count',
    'none:orders.count{shop=shop-1|shop-2}',
  ]) {
    await compare(expression)
  }
} finally {
  await store.close()
  await opentsdb.stop()
}

/** The same points by /api/put, acknowledged when they are stored. */
async function fill(name: string, url: string, connections: number): Promise<void> {
  const startedAt = performance.now()
  let next = 0
  const writer = async (): Promise<void> => {
    for (let hour = next++; hour < hours; hour = next++) {
      const points = Array.from({ length: seriesCount }, (_, at) => ({
        metric: 'orders.count',
        timestamp: start + hour * 3_600,
        value: `${((hour * 31 + at * 17) % 5_000) * 1.1 + 0.007}`,
        tags: { shop: `shop-${at}`, region: `region-${at % 10}` },
      }))
      for (let from = 0; from < points.length; ) {
        const body = points.slice(from, from + 500)
        const path = '/api/put?sync&details&sync_timeout=60000'
        const answer = await ask(url, { path, body })
        // A write that OpenTSDB did not manage is sent again; the value is the same.
        if (answer.status === 200 && (answer.body as { failed: number }).failed === 0) from += 500
      }
    }
  }
  await Promise.all(Array.from({ length: connections }, writer))
  const seconds = (performance.now() - startedAt) / 1_000
  console.log(`${name.padEnd(9)} ${Math.round((hours * seriesCount) / seconds)} points/s over HTTP`)
}

async function compare(expression: string): Promise<void> {
  const path = `/api/query?start=${start}&end=${end}&m=${encodeURIComponent(expression)}`
  const real = await timed(opentsdb.url, path)
  const ours = await timed(store.url, path)
  const difference = answerDifference(real.answer, ours.answer, ['trace'])
  if (difference !== undefined) throw new Error(`${expression}: ${difference}`)
  const ratio = real.median / ours.median
  console.log(
    `${expression.padEnd(48)} ${real.median.toFixed(0).padStart(8)}  ${ours.median.toFixed(0).padStart(8)}  ${ratio.toFixed(1)}`,
  )
}

async function timed(url: string, path: string) {
  const times: number[] = []
  let answer = await ask(url, { path })
  for (let run = 0; run < runs; run++) {
    const startedAt = performance.now()
    answer = await ask(url, { path })
    times.push(performance.now() - startedAt)
  }
  times.sort((left, right) => left - right)
  return { answer, median: times[times.length >> 1] ?? 0 }
}
