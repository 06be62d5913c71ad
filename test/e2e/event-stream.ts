/** A seeded stream of lending events, as bad as real ones: the same spec gives the same records. */
export interface EventSpec {
  readonly seed: number
  /** Records, broken ones included, late and closing ones not. */
  readonly count: number
  readonly partitions: number
  /** Event time of the first record, epoch ms. */
  readonly startMs: number
  /** Event time that the records cover. */
  readonly spanMs: number
  /** Users to draw from; 1 % of them make 10 % of the events. */
  readonly users: number
  /** How far an event may be behind the newest one; within the sources' out-of-orderness nothing is behind a watermark. */
  readonly disorderMs: number
}

export interface StreamRecord {
  readonly partition: number
  /** The record timestamp: event time at which it is sent. */
  readonly timestamp: number
  readonly value: string | Buffer
}

interface Loan {
  readonly time: number
  readonly user: string
  readonly order: number
  readonly status: string
  readonly bizLine: string
  readonly product: string
  readonly channel: string
  readonly amount: number
}

const bizLines = ['cash', 'cash', 'cash', 'instalment', 'instalment', 'car', 'mortgage']
const products = ['p1', 'p2', 'p3']
const channels = ['app', 'app', 'web', 'partner']
const cities = ['Shanghai', 'Beijing', '深圳', 'Xi"an', 'Hangzhou\\n']
const hourMs = 3_600_000

/** What comes back later is at most this much behind: less than 10 min lateness + 20 s, so it is never too late. */
const maxEchoMs = 8 * 60_000

/** Loans that may come back. */
const recentLoans = 4096

/** Shares of all records; what is left are fresh loans. */
const garbageShare = 0.003
/** A failed user tries again: same user and dimensions, another order. */
const retryShare = 0.15
/** The very same record a second time. */
const duplicateShare = 0.02
/** Counted, but behind the watermark: they make late panes. */
const tardyShare = 0.002
/** Legal JSON that a careless decoder reads wrong. */
const oddShare = 0.03

export const defaultSpec: EventSpec = {
  seed: 1,
  count: 1_000_000,
  partitions: 4,
  startMs: Date.UTC(2026, 0, 5, 0, 0, 0),
  spanMs: 6 * hourMs,
  users: 200_000,
  disorderMs: 20_000,
}

/**
 * The main stream. Nothing in it is late under any interleaving of the partitions: an event is at most 8 min behind the newest
 * one sent before it, and the combined watermark is never ahead of that of the partition being read.
 */
export function* eventStream(spec: EventSpec): Generator<StreamRecord> {
  const random = mulberry32(spec.seed)
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T
  const recent: Loan[] = []
  let loans = 0
  const step = spec.spanMs / spec.count
  const echoWindow = Math.min(recentLoans, Math.ceil(maxEchoMs / step))
  for (let i = 0; i < spec.count; i++) {
    const now = Math.floor(spec.startMs + i * step)
    const partition = Math.floor(random() * spec.partitions)
    const kind = random()
    const back = 1 + Math.floor(random() * Math.min(echoWindow, loans))
    const echo = recent[(loans - back) % recentLoans]
    const young = echo !== undefined && now - echo.time < maxEchoMs
    if (kind < garbageShare) {
      yield { partition, timestamp: now, value: garbage(freshLoan(i, now), now, random) }
      continue
    }
    if (young && kind < garbageShare + duplicateShare) {
      yield { partition, timestamp: now, value: documentText(echo) }
      continue
    }
    let loan = freshLoan(i, now)
    if (young && echo.status !== 'success' && kind < 1 - tardyShare && kind > 1 - retryShare) {
      const status = random() < 0.7 ? 'success' : 'fail'
      loan = { ...echo, time: loan.time, order: i, status }
    } else if (kind >= 1 - tardyShare) {
      loan = { ...loan, time: now - Math.floor(random() * maxEchoMs) }
    }
    recent[loans++ % recentLoans] = loan
    const odd = random() < oddShare
    yield { partition, timestamp: now, value: odd ? oddText(loan, random) : documentText(loan) }
  }

  function freshLoan(order: number, now: number): Loan {
    const hot = random() < 0.1
    const user = Math.floor(random() * (hot ? Math.max(1, spec.users / 100) : spec.users))
    const outcome = random()
    return {
      time: eventTime(now),
      user: `u${user}`,
      order,
      status: outcome < 0.72 ? 'success' : outcome < 0.97 ? 'fail' : 'pending',
      bizLine: pick(bizLines),
      product: pick(products),
      channel: pick(channels),
      amount: Math.floor(random() * 1_000_000) / 100,
    }
  }

  /** Within the disorder; just after an hour's start often exactly on it, or on the last millisecond before. */
  function eventTime(now: number): number {
    const sinceHour = now % hourMs
    if (sinceHour < spec.disorderMs && random() < 0.2) {
      return now - sinceHour - (random() < 0.5 && sinceHour + 1 <= spec.disorderMs ? 1 : 0)
    }
    return now - Math.floor(random() * (spec.disorderMs + 1))
  }
}

/**
 * Events of the first hour, each tagged `"late": true` for the checker. They are late if, and only if, they are read when the
 * combined watermark has passed that hour and the lateness for good: send them when the reader has committed all of the main stream,
 * so that a restart can't read them any earlier.
 */
export function* lateEvents(spec: EventSpec, count: number): Generator<StreamRecord> {
  const random = mulberry32(spec.seed + 1)
  for (let i = 0; i < count; i++) {
    const time = spec.startMs + Math.floor(random() * Math.min(hourMs, spec.spanMs / 4))
    const document = {
      eventTime: time,
      event: 'loan',
      status: random() < 0.5 ? 'success' : 'fail',
      userId: `u${Math.floor(random() * spec.users)}`,
      bizLine: 'cash',
      product: 'p1',
      channel: 'app',
      amount: 1,
      late: true,
    }
    const partition = Math.floor(random() * spec.partitions)
    yield { partition, timestamp: endOf(spec), value: JSON.stringify(document) }
  }
}

/** One event per partition, `afterMs` past the end: with it every window that ends before it − out-of-orderness closes. */
export function* closingEvents(spec: EventSpec, afterMs: number): Generator<StreamRecord> {
  for (let partition = 0; partition < spec.partitions; partition++) {
    const loan: Loan = {
      time: endOf(spec) + afterMs,
      user: `closing${partition}`,
      order: spec.count + partition,
      status: 'success',
      bizLine: 'cash',
      product: 'p1',
      channel: 'app',
      amount: 1,
    }
    yield { partition, timestamp: loan.time, value: documentText(loan) }
  }
}

function endOf(spec: EventSpec): number {
  return spec.startMs + spec.spanMs
}

function fields(loan: Loan): Record<string, unknown> {
  return {
    eventTime: loan.time,
    event: 'loan',
    status: loan.status,
    userId: loan.user,
    bizLine: loan.bizLine,
    product: loan.product,
    channel: loan.channel,
    amount: loan.amount,
    orderId: `o-2026-${String(loan.order).padStart(10, '0')}`,
    currency: 'CNY',
    termMonths: 6 + (loan.order % 31),
    city: cities[loan.order % cities.length],
    device: { os: loan.order % 3 === 0 ? 'ios' : 'android', version: `14.${loan.order % 9}` },
    risk: { score: (loan.order % 1000) / 1000, passed: loan.order % 7 !== 0 },
  }
}

function documentText(loan: Loan): string {
  return JSON.stringify(fields(loan))
}

/** The same loan in another, legal, form. */
function oddText(loan: Loan, random: () => number): string {
  const all = fields(loan)
  switch (Math.floor(random() * 6)) {
    case 0:
      return JSON.stringify(Object.fromEntries(Object.entries(all).reverse()))
    case 1:
      return JSON.stringify(all, null, 2).replaceAll('\n', ' \t')
    case 2: // The names that count, where they don't.
      return JSON.stringify({
        previous: { eventTime: 1, status: 'fail', userId: 'nobody', bizLine: 'none' },
        history: [{ status: 'success', userId: 'x' }],
        ...all,
      })
    case 3: // Escapes in names and values.
      return documentText(loan)
        .replace('"status":"', '"st\\u0061tus":"')
        .replace('"userId":"u', '"userId":"\\u0075')
    case 4: // Of two fields with a name the last counts.
      return documentText(loan).replace('{', '{"status":"none","eventTime":5,"userId":"nobody",')
    default:
      return JSON.stringify({
        ...all,
        note: `a "}{" b \\" ${'x'.repeat(loan.order % 50)}`,
        big: 1e300,
      })
  }
}

/** A record that no metric over (eventTime, userId, status, bizLine) can count. */
function garbage(loan: Loan, now: number, random: () => number): string | Buffer {
  const text = documentText(loan)
  const all = fields(loan)
  const day = 86_400_000
  const broken: readonly (() => string | Buffer)[] = [
    () => text.slice(0, 1 + Math.floor(random() * (text.length - 1))),
    () => `${text}}`,
    () => text.replace('"userId":', '"userId";'),
    () => 'connection reset by peer',
    () => '[1,2,3]',
    () => '"loan"',
    () => Buffer.from(text.replace('"CNY"', '"\u00ff"'), 'latin1'),
    () => JSON.stringify({ ...all, eventTime: undefined }),
    () => JSON.stringify({ ...all, eventTime: null }),
    () => JSON.stringify({ ...all, eventTime: 'yesterday' }),
    () => JSON.stringify({ ...all, eventTime: 0 }),
    () => JSON.stringify({ ...all, eventTime: -loan.time }),
    () => JSON.stringify({ ...all, eventTime: now + 400 * day }),
    () => JSON.stringify({ ...all, eventTime: now * 1000 }),
    () => JSON.stringify({ ...all, userId: undefined }),
    () => JSON.stringify({ ...all, userId: null }),
    () => JSON.stringify({ ...all, status: undefined }),
    () => JSON.stringify({ ...all, bizLine: undefined }),
  ]
  return broken[Math.floor(random() * broken.length)]?.() ?? text
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
