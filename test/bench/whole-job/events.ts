/** What the bench reads: loan events whose right counts are known while they are made. */
export interface BenchSpec {
  readonly events: number
  /** Each of them has an event before any has a second one. */
  readonly users: number
  /** Event time that the events cover, in hours. */
  readonly hours: number
  readonly partitions: number
}

export interface BenchEvent {
  readonly partition: number
  /** Epoch ms: when it is sent; event time is at most `disorderMs` before it. */
  readonly timestamp: number
  readonly text: string
}

/** What an hour of a series must come to: each user once, by their best outcome. */
export interface ExpectedCell {
  readonly windowStart: number
  readonly bizLine: string
  readonly product: string
  events: number
  rawSuccess: number
  /** User → 1 when they succeeded, 0 when not. */
  readonly users: Map<number, number>
}

export const hourMs = 3_600_000
export const startMs = Date.UTC(2025, 0, 6)
/** Less than the out-of-orderness of the source, so that nothing is late however the partitions interleave. */
const disorderMs = 15_000
const bizLines = ['cash', 'instalment', 'car', 'mortgage']
const products = ['p1', 'p2', 'p3']
const channels = ['app', 'web', 'partner', 'mini-program']
const cities = ['Hangzhou', 'Shanghai', 'Beijing', 'Shenzhen']

/**
 * The events, in the order in which they are sent; `cells` is filled on the way. The last of each partition is past the
 * last hour, so that every hour before it closes.
 */
export function* benchEvents(
  spec: BenchSpec,
  cells: Map<string, ExpectedCell>,
): Generator<BenchEvent> {
  const random = mulberry32(7)
  const step = (spec.hours * hourMs) / spec.events
  const stride = strideThrough(spec.users)
  for (let index = 0; index < spec.events; index++) {
    const timestamp = Math.floor(startMs + index * step)
    const time = Math.max(startMs, timestamp - Math.floor(random() * disorderMs))
    const user = (index * stride) % spec.users
    const isSuccess = random() < 0.7
    const bizLine = pick(bizLines, random())
    const product = pick(products, random())
    count(cells, time, bizLine, product, user, isSuccess)
    const text = documentText(index, time, user, isSuccess, bizLine, product)
    yield { partition: index % spec.partitions, timestamp, text }
  }
  const end = startMs + spec.hours * hourMs
  for (let partition = 0; partition < spec.partitions; partition++) {
    const timestamp = end + 60_000
    const text = documentText(spec.events + partition, timestamp, partition, true, 'cash', 'p1')
    yield { partition, timestamp, text }
  }
}

/** Records in the topic, the closing ones included. */
export function recordsOf(spec: BenchSpec): number {
  return spec.events + spec.partitions
}

/** About 312 bytes, as an order service writes them. */
function documentText(
  index: number,
  time: number,
  user: number,
  isSuccess: boolean,
  bizLine: string,
  product: string,
): string {
  const trace = (index * 2_654_435_761).toString(16).padStart(16, '0')
  const status = isSuccess ? 'success' : 'fail'
  const amount = (index % 1_000_000) / 100
  const channel = channels[index & 3]
  const city = cities[(index >> 2) & 3]
  return `{"traceId":"${trace}","eventTime":${time},"event":"loan","bizLine":"${bizLine}","product":"${product}","userId":"u${1_000_000_000 + user}","status":"${status}","amount":${amount},"currency":"CNY","city":"${city}","channel":"${channel}","client":{"os":"android","version":"13.4.1"},"termMonths":${6 + (index % 31)},"message":"accepted by gateway","ok":true}`
}

function count(
  cells: Map<string, ExpectedCell>,
  time: number,
  bizLine: string,
  product: string,
  user: number,
  isSuccess: boolean,
): void {
  const windowStart = Math.floor(time / hourMs) * hourMs
  const key = `${windowStart} ${bizLine} ${product}`
  let cell = cells.get(key)
  if (cell === undefined) {
    cell = { windowStart, bizLine, product, events: 0, rawSuccess: 0, users: new Map() }
    cells.set(key, cell)
  }
  cell.events++
  if (isSuccess) cell.rawSuccess++
  cell.users.set(user, Math.max(cell.users.get(user) ?? 0, isSuccess ? 1 : 0))
}

/** A step that meets every number below `size` once before it comes back. */
function strideThrough(size: number): number {
  const common = (a: number, b: number): number => (b === 0 ? a : common(b, a % b))
  let stride = 7919
  while (common(stride, size) !== 1) stride++
  return stride
}

function pick(list: readonly string[], share: number): string {
  return list[Math.floor(share * list.length)] ?? ''
}

/** Uniform in [0, 1), period 2^32. Source: Tommy Ettinger's mulberry32, public domain. */
function mulberry32(seed: number): () => number {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}
