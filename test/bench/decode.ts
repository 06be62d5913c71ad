/**
 * ns per event of every decoder on the same bytes: `node --import tsx test/bench/decode.ts [events] [rounds]`.
 * Prints one JSON line per case; rounds are interleaved; the figures are the median and the least. `CASE` chooses cases by a
 * part of their name, `DECODER` one decoder: alone, as in production.
 */
import type { MetricPlan } from '../../src/core/plan.ts'
import type { DecoderKind, DecoderOptions } from '../../src/ingest/decoder.ts'
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
function document(index: number, city: string, more: object = {}): string {
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
    ...more,
  })
}

function kafka(documents: readonly string[], perBatch = 500): SourceBatch {
  const batches: Buffer[] = []
  for (let from = 0; from < documents.length; from += perBatch) {
    const records = documents
      .slice(from, from + perBatch)
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

/** Events of another size: fewer fields, or such as a service writes that logs all it knows. */
const small = Array.from({ length: events }, (_, index) => {
  const { eventTime, bizLine, product, event, userId, status } = JSON.parse(document(index, ''))
  return JSON.stringify({
    eventTime,
    bizLine,
    product,
    event,
    userId,
    status,
    channel: 'alipay',
    ok: true,
    v: 3,
  })
})
const items = Array.from({ length: 8 }, (_, item) => ({
  sku: `sku-${item}-000123`,
  title: 'stainless steel water bottle',
  price: 129.9 + item,
  quantity: 1 + item,
}))
const large = ascii.map((_, index) => document(index, 'Hangzhou', { items: items.slice(0, 7) }))
const huge = ascii.map((_, index) =>
  document(index, 'Hangzhou', {
    items: [...items, ...items, ...items],
    note: 'the customer asked for delivery after six in the evening; '.repeat(20),
  }),
)

const cases: {
  readonly name: string
  readonly batch: () => SourceBatch
  readonly metrics: MetricPlan[]
  readonly checkCrc?: boolean
}[] = [
  { name: 'kafka, 6 fields', batch: () => kafka(ascii), metrics: one },
  { name: 'kafka, 6 fields, CRC32C', batch: () => kafka(ascii), metrics: one, checkCrc: true },
  { name: 'kafka, 6 fields, one a batch', batch: () => kafka(ascii, 1), metrics: one },
  { name: 'kafka, 6 fields, Chinese', batch: () => kafka(chinese), metrics: one },
  { name: 'kafka, 6 fields, escapes', batch: () => kafka(escaped), metrics: one },
  { name: 'kafka, 3 filters, a value', batch: () => kafka(ascii), metrics: filtered },
  { name: 'kafka, 3 metrics', batch: () => kafka(ascii), metrics: three },
  { name: 'kafka, 6 fields, small', batch: () => kafka(small), metrics: one },
  { name: 'kafka, 6 fields, large', batch: () => kafka(large), metrics: one },
  { name: 'kafka, 6 fields, huge', batch: () => kafka(huge), metrics: one },
  { name: 'lines, 6 fields', batch: () => linesBatch(`${ascii.join('\n')}\n`), metrics: one },
]

const kinds: readonly { name: string; kind: DecoderKind; options: Partial<DecoderOptions> }[] = [
  { name: 'json-wasm', kind: 'json-wasm', options: { wasmBuild: 'simd' } },
  { name: 'json-wasm-plain', kind: 'json-wasm', options: { wasmBuild: 'plain' } },
  { name: 'json-walk', kind: 'json-walk', options: {} },
  { name: 'json-parse', kind: 'json-parse', options: {} },
]

const { CASE: only, DECODER: alone } = process.env

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

for (const { name, batch: make, metrics, checkCrc } of cases) {
  if (only !== undefined && !name.includes(only)) continue
  const batch = make()
  const decoders = kinds
    .filter((one) => alone === undefined || one.name === alone)
    .map((one) => ({
      name: one.name,
      ...decoderFor(one.kind, eventPlan(), metrics, {
        codecs: kafkaCodecs,
        checkCrc: checkCrc ?? false,
        ...one.options,
      }),
    }))
  const runs = decoders.map(({ name, decoder, out }) => ({
    name,
    run: () => decoder.decode(batch, NOW, out),
    ns: [] as number[],
  }))
  if (alone === undefined && name === 'kafka, 6 fields') {
    runs.push({ name: 'JSON.parse alone', run: parseOnly, ns: [] })
  }
  for (let round = -3; round < rounds; round++) {
    for (const { run, ns } of runs) {
      const took = cpuNsPerEvent(run)
      if (round >= 0) ns.push(took)
    }
  }
  for (const { decoder, out } of decoders) {
    if (out.length !== events || out.rejects.length > 0 || decoder.stats.fallbacks > 0) {
      throw new Error(`${name}: rows are missing, or were left to JSON.parse`)
    }
  }
  const result: Record<string, string | number> = {
    case: name,
    bytesPerEvent: Math.round(batch.bytes.length / events),
  }
  for (const { name, ns } of runs) {
    const sorted = ns.toSorted((a, b) => a - b)
    result[`${name} ns`] = Math.round(sorted[sorted.length >> 1] ?? 0)
    result[`${name} least`] = Math.round(sorted[0] ?? 0)
  }
  process.stdout.write(`${JSON.stringify(result)}\n`)
}
