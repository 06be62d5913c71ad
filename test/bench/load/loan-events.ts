import type { LoadSpec } from './load-spec.ts'
import { mix32, mulberry32, strideThrough } from './random.ts'

/** One event; the object is used again for the next one. */
export interface LoanEvent {
  index: number
  partition: number
  /** Epoch ms: when it is sent; event time is at most `disorderMs` before it. */
  timestamp: number
  eventTime: number
  user: number
  series: number
  channel: number
  isSuccess: boolean
}

export const hourMs = 3_600_000
export const startMs = Date.UTC(2025, 0, 6)
/** Less than the out-of-orderness of the source, so that nothing is late however the partitions interleave. */
const disorderMs = 15_000
/** Duplicates repeat a user of so many events before, at most. */
const recentUsers = 1 << 16

export const channels = ['app', 'web', 'partner', 'mini-program']

/** The user that `hotUser` speaks of. */
const hotUser = 0

/**
 * The events in the order in which they are sent. The last of each partition is past the last hour, so that every hour before it
 * closes.
 */
export function* loanEvents(spec: LoadSpec): Generator<LoanEvent> {
  const random = mulberry32(7)
  const step = (spec.hours * hourMs) / spec.events
  const stride = strideThrough(spec.users)
  const recent = new Uint32Array(recentUsers)
  const event = { index: 0, partition: 0, timestamp: 0, eventTime: 0, user: 0 } as LoanEvent
  let fresh = 0
  for (let index = 0; index < spec.events; index++) {
    event.index = index
    event.timestamp = Math.floor(startMs + index * step)
    event.eventTime = Math.max(startMs, event.timestamp - Math.floor(random() * disorderMs))
    event.isSuccess = random() < 0.7
    if (spec.hotUser > 0 && random() < spec.hotUser) event.user = hotUser
    else if (spec.duplicates > 0 && fresh > 0 && random() < spec.duplicates) {
      event.user = recent[Math.floor(random() * Math.min(fresh, recentUsers))] ?? 0
    } else {
      event.user = (fresh * stride) % spec.users
      recent[fresh++ % recentUsers] = event.user
    }
    event.series = seriesOf(spec, event.user)
    event.channel = index & 3
    event.partition = partitionOf(spec, event, random)
    yield event
  }
  const end = startMs + spec.hours * hourMs
  for (let partition = 0; partition < spec.partitions; partition++) {
    event.index = spec.events + partition
    event.partition = partition
    event.timestamp = event.eventTime = end + 60_000
    event.user = event.series = event.channel = 0
    event.isSuccess = true
    yield event
  }
}

function seriesOf(spec: LoadSpec, user: number): number {
  const hash = mix32(user)
  if (spec.hotSeries > 0 && hash < spec.hotSeries * 2 ** 32) return 0
  return hash % spec.series
}

function partitionOf(spec: LoadSpec, event: LoanEvent, random: () => number): number {
  if (spec.hotPartition > 0) {
    if (random() < spec.hotPartition) return 0
    return 1 + (event.index % (spec.partitions - 1))
  }
  return (spec.keyed ? mix32(~event.user) : event.index) % spec.partitions
}

/** Name of a series: the first dimension has as many values as fit, up to 4 of the usual 12. */
export function dimensionsOf(spec: LoadSpec, series: number): readonly [string, string] {
  const lines = businessLines(spec)
  return [
    lineNames[series % lines] ?? `line-${series % lines}`,
    `p${Math.floor(series / lines) + 1}`,
  ]
}

const lineNames = ['cash', 'instalment', 'car', 'mortgage']

function businessLines(spec: LoadSpec): number {
  return spec.series <= 1_000 ? Math.min(4, spec.series) : 100
}
