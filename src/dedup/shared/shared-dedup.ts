import { fullJitter } from '../../core/backoff.ts'
import { asWardenError, type WardenError } from '../../core/errors.ts'
import type { Counter, Gauge, Histogram, Telemetry } from '../../core/telemetry.ts'
import { durationMs } from '../../core/time.ts'
import type { ClaimBackend, DedupStore, KeyClaims } from '../dedup-store.ts'
import { DUPLICATE, FIRST } from '../fingerprint-table.ts'
import type { ClaimServer } from './claim-server.ts'
import { type Position, PositionCache } from './position-cache.ts'

export interface SharedDedupOptions {
  readonly job: string
  readonly metric: string
  /** Keys of the cache in front; 0: none. */
  readonly cacheKeys: number
}

/** Fields of one request: the server answers nobody else while it works on it. */
const fieldsPerRequest = 500
/** Buckets of a slice, so that none grows too big to be served. */
const bucketsPerSlice = 16
const retry = { initialMs: durationMs(100), maxMs: durationMs(5_000) }
const seconds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5]

/**
 * `first` by arrival, kept by a server outside: several Wardens share it, and its memory is not this process's. The value of a
 * key is the position of the event that counts for it, so that a replay which meets its own position is the first again, and
 * nothing is counted twice or not at all. A slice's keys lie in buckets of their own and go as a whole.
 */
export class SharedDedup implements ClaimBackend {
  readonly #server: ClaimServer
  readonly #options: SharedDedupOptions
  readonly #telemetry: Telemetry
  readonly #random: () => number
  readonly #cache: PositionCache
  readonly #claims: Counter
  readonly #duration: Histogram
  readonly #up: Gauge
  /** Of the batch prepared last: 1 where the row is the first of its key. */
  #verdicts = new Uint8Array(0)
  #prepared = 0
  #dropping: Promise<unknown> = Promise.resolve()

  constructor(
    server: ClaimServer,
    options: SharedDedupOptions,
    telemetry: Telemetry,
    random: () => number,
  ) {
    this.#server = server
    this.#options = options
    this.#telemetry = telemetry
    this.#random = random
    this.#cache = new PositionCache(options.cacheKeys)
    const { metrics } = telemetry
    this.#claims = metrics.counter(
      'warden_dedup_claims_total',
      'Events judged by a shared dedup backend, by who knew: the cache in front or the backend',
      ['metric', 'by'],
    )
    this.#duration = metrics.histogram(
      'warden_dedup_claim_seconds',
      'Time a batch waited for its shared dedup backend',
      seconds,
      ['metric'],
    )
    this.#up = metrics.gauge(
      'warden_dedup_backend_up',
      '1 while the shared dedup backend of a metric answers, 0 while Warden waits for it',
      ['metric'],
    )
  }

  /** Bytes of the cache. */
  get bytes(): number {
    return this.#cache.bytes
  }

  async prepare(claims: KeyClaims, signal: AbortSignal): Promise<void> {
    const begun = this.#telemetry.clock.now()
    if (this.#verdicts.length < claims.length) this.#verdicts = new Uint8Array(claims.length * 2)
    this.#prepared = claims.length
    const requests = this.#requestsFor(claims)
    await this.#ask(requests, claims, signal)
    const { metric } = this.#options
    const asked = requests.reduce((rows, one) => rows + one.rows.length, 0)
    if (asked > 0) this.#claims.add(asked, { metric, by: 'backend' })
    if (asked < claims.length) this.#claims.add(claims.length - asked, { metric, by: 'cache' })
    this.#duration.observe((this.#telemetry.clock.now() - begun) / 1000, { metric })
  }

  /** What the lane offers the rows of a slice to. */
  storeOf(): DedupStore {
    const known = { size: 0 }
    return {
      get size() {
        return known.size
      },
      changes: 0,
      bytes: 0,
      withdrawn: new Float64Array(0),
      offer: (_high, _low, _outcome, _time, _tie, _values, row) => {
        if (row >= this.#prepared) throw new RangeError(`row ${row} was not prepared`)
        if (this.#verdicts[row] !== 1) return DUPLICATE
        known.size++
        return FIRST
      },
      // The server keeps it; what was counted is in the checkpoint, and a replay meets its own positions.
      takeChanges: () => undefined,
      load: () => {},
    }
  }

  /**
   * Forgets slices that are gone. Only once the checkpoint without them is durable: a replay from an earlier one still asks.
   * A failure leaves their keys behind; it is logged, nothing waits for it.
   */
  async drop(slices: readonly number[]): Promise<void> {
    const buckets = slices.flatMap((slice) =>
      Array.from({ length: bucketsPerSlice }, (_, group) => this.#bucket(slice, group)),
    )
    try {
      if (buckets.length === 0) return
      const dropped = this.#server.drop(buckets)
      this.#dropping = Promise.allSettled([this.#dropping, dropped])
      await dropped
    } catch (error) {
      const fields = { err: asWardenError(error), metric: this.#options.metric, slices }
      this.#telemetry.logger.warn(fields, 'dedup keys of past windows could not be removed')
    }
  }

  /** Lets go of the connection, once nothing is being dropped. */
  async close(): Promise<void> {
    await this.#dropping
    await this.#server.close()
  }

  #bucket(slice: number, group: number): string {
    const { job, metric } = this.#options
    return `warden:${job}:${metric}:${slice}:${group.toString(16)}`
  }

  /** Judges what the cache knows, and puts the other rows together by bucket. */
  #requestsFor(claims: KeyClaims): Request[] {
    const open = new Map<string, Request>()
    const requests: Request[] = []
    const winner: Position = { partition: 0, offset: 0 }
    for (let row = 0; row < claims.length; row++) {
      this.#verdicts[row] = 0
      const slice = claims.slice[row] as number
      if (Number.isNaN(slice)) continue
      const high = claims.high[row] as number
      const low = claims.low[row] as number
      if (this.#cache.find(high, low, slice, winner)) {
        const own =
          winner.partition === claims.partitionHash && winner.offset === claims.offset[row]
        this.#verdicts[row] = own ? 1 : 0
        continue
      }
      const bucket = this.#bucket(slice, high >>> 28)
      let request = open.get(bucket)
      if (request === undefined || request.rows.length >= fieldsPerRequest) {
        request = { bucket, rows: [], fields: [], values: [], slice }
        open.set(bucket, request)
        requests.push(request)
      }
      request.rows.push(row)
      request.fields.push(`${high.toString(36)}.${low.toString(36)}`)
      const offset = (claims.offset[row] as number).toString(36)
      request.values.push(`${claims.partitionHash.toString(36)}.${offset}`)
    }
    return requests
  }

  /** Asks until every request was answered. */
  async #ask(requests: readonly Request[], claims: KeyClaims, signal: AbortSignal): Promise<void> {
    const { clock, logger } = this.#telemetry
    const { metric } = this.#options
    let open = requests
    for (let attempt = 0; open.length > 0; attempt++) {
      signal.throwIfAborted()
      const outcomes = await Promise.all(open.map((request) => this.#try(request, claims)))
      const away = outcomes.find((outcome) => outcome !== undefined)
      this.#up.set(away === undefined ? 1 : 0, { metric })
      if (away === undefined) {
        if (attempt > 0) logger.info({ metric, attempt }, 'the dedup backend answers again')
        return
      }
      open = open.filter((_, index) => outcomes[index] !== undefined)
      if (attempt === 0)
        logger.warn({ err: away, metric }, 'the dedup backend is away; reading waits for it')
      await clock.sleep(fullJitter(retry, attempt, this.#random()), signal)
    }
  }

  /** The error of a backend that is away; any other one is thrown. */
  async #try(request: Request, claims: KeyClaims): Promise<WardenError | undefined> {
    try {
      const held = await this.#server.claim(request.bucket, request.fields, request.values)
      this.#take(request, claims, held)
      return undefined
    } catch (cause) {
      const error = asWardenError(cause)
      if (error.code !== 'dedup_unreachable') throw error
      return error
    }
  }

  #take(request: Request, claims: KeyClaims, held: readonly string[]): void {
    request.rows.forEach((row, index) => {
      const value = held[index] ?? ''
      this.#verdicts[row] = value === request.values[index] ? 1 : 0
      const [partition = '', offset = ''] = value.split('.')
      const position = {
        partition: Number.parseInt(partition, 36),
        offset: Number.parseInt(offset, 36),
      }
      // What nobody of ours wrote is never our own position either.
      if (Number.isNaN(position.partition) || Number.isNaN(position.offset)) return
      const high = claims.high[row] as number
      this.#cache.set(high, claims.low[row] as number, request.slice, position)
    })
  }
}

interface Request {
  readonly bucket: string
  readonly slice: number
  readonly rows: number[]
  readonly fields: string[]
  readonly values: string[]
}
