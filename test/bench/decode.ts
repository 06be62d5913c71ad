/**
 * ns per event of both decoders on the same bytes: `node --import tsx test/bench/decode.ts [events] [rounds]`.
 * Prints one JSON line per case; rounds are interleaved; the figures are the median and the least.
 */
import type { MetricPlan } from '../../src/core/plan.ts'
import type { DecoderKind } from '../../src/ingest/decoder.ts'
import { kafkaCodecs } from '../../src/ingest/kafka-codecs.ts'
import type { SourceBatch } from '../../src/ingest/source.ts'
import { decoderFor, eventPlan, linesBatch, metricPlan, NOW } from '../support/decode-plans.ts'
import { kafkaBatch, recordBatch } from '../support/kafka-batches.ts'

const events = Number(process.argv[2] ?? 20_000)
const rounds = Number(process.argv[3] ?? 15)
const bizLines = ['retail', 'wholesale', 'travel', 'payments']
const products = ['app', 'web', 'mini-program', 'pos', 'partner-api']
const names = ['pay', 'order', 'refund', 'login', 'register']

/** About 300 bytes, as an order service writes them. */
function document(index: number, city: string): string {
  const pick = <T>(of: readonly T[], salt: number) => of[(index * salt) % of.length]
  return JSON.stringify({
    traceId: (index * 2_654_435_761).toString(16).padStart(16, '0'),
    eventTime: NOW - 3_600_000 + index,
    bizLine: pick(bizLines, 7),
    product: pick(products, 11),
    event: pick(names, 13),
    userId: `u${1_000_000_000 + ((index * 7919) % 900_000_007)}`,
    status: index % 5 === 0 ? 'fail' : 'success',
    amount: (index % 10_000) / 100,
    city,
    channel: 'alipay',
    client: { os: 'android', version: '13.4.1' },
    message: 'order accepted by gateway',
    ok: true,
  })
}

function kafka(documents: readonly string[]): SourceBatch {
  const batches: Buffer[] = []
  for (let from = 0; from < documents.length; from += 500) {
    const records = documents
      .slice(from, from + 500)
      .map((value, index) => ({ value, key: 'key', timestampDelta: index }))
    batches.push(recordBatch({ records, baseOffset: from, baseTimestamp: NOW }))
  }
  return kafkaBatch(batches)
}

const ascii = Array.from({ length: events }, (_, index) => document(index, 'Hangzhou'))
const chinese = Array.from({ length: events }, (_, index) => document(index, '杭州市西湖区'))
const escaped = Array.from({ length: events }, (_, index) => document(index, 'Xi"an\n\\ west'))
const one = [metricPlan()]
const filtered: MetricPlan[] = [
  metricPlan({
    where: {
      kind: 'and',
      of: [
        { kind: 'compare', path: ['channel'], op: '==', value: 'alipay' },
        { kind: 'compare', path: ['amount'], op: '>=', value: 0 },
        { kind: 'matches', path: ['client', 'os'], pattern: /^(android|ios)$/ },
      ],
    },
    values: [{ name: 'amount', path: ['amount'] }],
  }),
]
const three: MetricPlan[] = [
  metricPlan(),
  metricPlan({
    name: 'users',
    dimensions: [{ name: 'biz', path: ['bizLine'], missing: undefined }],
  }),
  metricPlan({ name: 'all', dimensions: [], keep: undefined, splitByOutcome: false }),
]

const cases: {
  readonly name: string
  readonly batch: SourceBatch
  readonly metrics: MetricPlan[]
  readonly checkCrc?: boolean
}[] = [
  { name: 'kafka, 6 fields', batch: kafka(ascii), metrics: one },
  { name: 'kafka, 6 fields, CRC32C', batch: kafka(ascii), metrics: one, checkCrc: true },
  { name: 'kafka, 6 fields, Chinese', batch: kafka(chinese), metrics: one },
  { name: 'kafka, 6 fields, escapes', batch: kafka(escaped), metrics: one },
  { name: 'kafka, 3 filters, a value', batch: kafka(ascii), metrics: filtered },
  { name: 'kafka, 3 metrics', batch: kafka(ascii), metrics: three },
  { name: 'lines, 6 fields', batch: linesBatch(`${ascii.join('\n')}\n`), metrics: one },
]

const only = process.env.CASE

/** CPU time, not wall time: the machine may be busy with other things. */
function cpuNsPerEvent(run: () => void): number {
  const before = process.cpuUsage()
  run()
  const { user, system } = process.cpuUsage(before)
  return ((user + system) * 1000) / events
}

/** What any decoder on JSON.parse pays at least. */
const buffers = ascii.map((text) => Buffer.from(text))
function parseOnly(): void {
  for (const bytes of buffers) JSON.parse(bytes.toString())
}

for (const { name, batch, metrics, checkCrc } of cases) {
  if (only !== undefined && !name.includes(only)) continue
  const kinds: readonly DecoderKind[] = ['json-walk', 'json-parse']
  const [walk, reference] = kinds.map((kind) =>
    decoderFor(kind, eventPlan(), metrics, { codecs: kafkaCodecs, checkCrc: checkCrc ?? false }),
  )
  if (walk === undefined || reference === undefined) continue
  const runs = [
    {
      name: 'jsonWalkNs',
      kind: 'json-walk',
      run: () => walk.decoder.decode(batch, NOW, walk.out),
      ns: [] as number[],
    },
    {
      name: 'referenceNs',
      kind: 'json-parse',
      run: () => reference.decoder.decode(batch, NOW, reference.out),
      ns: [] as number[],
    },
    { name: 'jsonParseAloneNs', kind: 'none', run: parseOnly, ns: [] as number[] },
  ]
  // `DECODER=json-walk` leaves the others out, as in production.
  const chosen =
    process.env.DECODER === undefined
      ? runs
      : runs.filter(({ kind }) => kind === process.env.DECODER)
  for (let round = -3; round < rounds; round++) {
    for (const { run, ns } of chosen) {
      const took = cpuNsPerEvent(run)
      if (round >= 0) ns.push(took)
    }
  }
  for (const { decoder, out } of [walk, reference]) {
    if (decoder.stats.records > 0 && (out.length !== events || out.rejects.length > 0)) {
      throw new Error(`${name}: rows are missing`)
    }
  }
  const result: Record<string, string | number> = {
    case: name,
    bytesPerEvent: Math.round(batch.bytes.length / events),
    fallbackShare: walk.decoder.stats.fallbacks / Math.max(1, walk.decoder.stats.records),
  }
  for (const { name, ns } of chosen) {
    const sorted = ns.toSorted((a, b) => a - b)
    result[name] = Math.round(sorted[sorted.length >> 1] ?? 0)
    result[`${name}Least`] = Math.round(sorted[0] ?? 0)
  }
  process.stdout.write(`${JSON.stringify(result)}\n`)
}
