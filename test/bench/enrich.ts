/**
 * What a looked-up dimension costs: ns of CPU time per event for decoding and counting (exact dedup), with plain dimensions and with
 * looked-up ones, in interleaved rounds: `node --import tsx test/bench/enrich.ts [events] [rounds]`. A lane has counted one window; the next
 * one is measured, in which every key must be asked for anew. Prints one JSON line per case; the ratios are those of the least and of the
 * medians to the plain case of the same run.
 */
import type { DimensionPlan } from '../../src/core/plan.ts'
import { createDecodedBatch } from '../../src/core/rows.ts'
import { SeriesDictionary } from '../../src/core/series.ts'
import { createDecoder } from '../../src/ingest/create-decoder.ts'
import { CountingLane } from '../../src/pipeline/lanes/counting-lane.ts'
import { enricherOf } from '../../src/pipeline/lanes/create-enricher.ts'
import { eventPlan, HASH_KEY, linesBatch, metricPlan, NOW } from '../support/decode-plans.ts'
import { RecordingMetrics } from '../support/recording-metrics.ts'

const events = Number(process.argv[2] ?? 100_000)
const rounds = Number(process.argv[3] ?? 15)
const windowMs = 3_600_000
const perBatch = 4_000
const start = Math.floor(NOW / windowMs) * windowMs - 2 * windowMs

const plain: DimensionPlan[] = [
  { name: 'product', path: ['product'], missing: undefined },
  { name: 'channel', path: ['channel'], missing: undefined },
]
const lookup = { from: 'products', field: 'line', unknown: 'unknown' }
const looked = (keys: readonly string[]): DimensionPlan[] =>
  plain.map((one) => (keys.includes(one.name) ? { ...one, lookup } : one))

/** About 200 bytes each, spread over the hour `hour`; keys of a table with `products` entries. */
function batches(products: number, hour: number) {
  const texts = Array.from({ length: events }, (_, index) =>
    JSON.stringify({
      traceId: (index * 2_654_435_761).toString(16).padStart(16, '0'),
      eventTime: start + hour * windowMs + Math.floor((index / events) * windowMs),
      product: `product-${(index * 7919) % products}`,
      userId: `u${1_000_000_000 + ((index * 104_729) % 900_007)}`,
      status: index % 5 === 0 ? 'fail' : 'success',
      channel: ['app', 'web', 'mini-program'][index % 3],
      message: 'order accepted by gateway',
      ok: true,
    }),
  )
  return Array.from({ length: Math.ceil(events / perBatch) }, (_, part) =>
    linesBatch(`${texts.slice(part * perBatch, (part + 1) * perBatch).join('\n')}\n`),
  )
}

interface Case {
  readonly name: string
  readonly dimensions: DimensionPlan[]
  /** Of the window before, and of the one that is measured. */
  readonly hours: readonly ReturnType<typeof batches>[]
}

/** One pass by a lane of its own; gives CPU ns per event of the last window. */
function pass({ dimensions, hours }: Case): number {
  const metrics = [
    metricPlan({ dimensions, splitByOutcome: false, maxSeries: 1_000_000, maxKeys: 1_000_000 }),
  ]
  const event = eventPlan()
  const dictionaries = [new SeriesDictionary(1_000_000)]
  const enricher = enricherOf(metrics, HASH_KEY, new RecordingMetrics())?.(dictionaries)
  const decoder = createDecoder('auto', {
    event,
    metrics,
    dictionaries: enricher?.dictionaries ?? dictionaries,
    hashKey: HASH_KEY,
  })
  const place = { lane: 0, lanes: 1, shuffled: false }
  const lane = new CountingLane({ place, plan: event, metrics, dictionaries, send: () => {} })
  lane.addPartition(0, NOW)
  const out = createDecodedBatch(perBatch, [0])
  let before = process.cpuUsage()
  for (const batch of hours.flat()) {
    if (batch === hours.at(-1)?.[0]) before = process.cpuUsage()
    decoder.decode(batch, NOW, out)
    const questions = enricher?.begin(out) ?? []
    if (questions.length > 0) {
      enricher?.finish(
        out,
        questions.map((one) => ({ ...one, values: one.keys.map((key) => `line-${key.length}`) })),
      )
    }
    lane.apply(out, 'orders-0', NOW)
    lane.takeHandOver(NOW)
  }
  const { user, system } = process.cpuUsage(before)
  return ((user + system) * 1_000) / events
}

for (const products of [100, 2_000]) {
  const hours = [batches(products, 0), batches(products, 1)]
  const cases: readonly Case[] = [
    { name: 'plain', dimensions: plain, hours },
    { name: 'one looked up', dimensions: looked(['product']), hours },
    { name: 'two looked up', dimensions: looked(['product', 'channel']), hours },
  ]
  const ns = cases.map((): number[] => [])
  for (let round = -2; round < rounds; round++) {
    for (const [index, one] of cases.entries()) {
      const took = pass(one)
      if (round >= 0) ns[index]?.push(took)
    }
  }
  const median = (of: readonly number[]) => of.toSorted((a, b) => a - b)[of.length >> 1] ?? 0
  const [plainNs = []] = ns
  const rounded = (value: number) => Number(value.toFixed(2))
  for (const [index, { name }] of cases.entries()) {
    const own = ns[index] ?? []
    const result = {
      keys: products,
      case: name,
      least: Math.round(Math.min(...own)),
      median: Math.round(median(own)),
      leastRatio: rounded(Math.min(...own) / Math.min(...plainNs)),
      medianRatio: rounded(median(own) / median(plainNs)),
    }
    process.stdout.write(`${JSON.stringify(result)}\n`)
  }
}
