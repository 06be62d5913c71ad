import { fullJitter } from '../core/backoff.ts'
import { asWardenError, WardenError } from '../core/errors.ts'
import { readBatchHeaders } from './kafka-batch-headers.ts'
import { isRefusal } from './kafka-errors.ts'
import type { FetchedPartition } from './kafka-network.ts'
import type { KafkaPartition } from './kafka-partition.ts'
import { type KafkaReading, retryPolicy } from './kafka-reading.ts'
import { Wakeup } from './wakeup.ts'

/** One partition never gets less room than this. */
const minShareBytes = 64 * 1024

let deliveries = 0

/**
 * Reads the partitions that one broker leads: one fetch under way, the next sent before anybody looks at what came.
 * A partition is asked while it has room for half its share of the buffer (or a full answer); the shares are equal, so
 * that a partition that nobody takes from never starves the others.
 */
export class KafkaFetcher {
  readonly #node: number
  readonly #reading: KafkaReading
  /** Bytes that one partition may buffer. */
  readonly #shareBytes: () => number
  readonly #wakeup = new Wakeup()
  readonly #abort = new AbortController()
  #partitions: readonly KafkaPartition[] = []
  #running: Promise<void> | undefined

  constructor(node: number, reading: KafkaReading, shareBytes: () => number) {
    this.#node = node
    this.#reading = reading
    this.#shareBytes = () => Math.max(minShareBytes, shareBytes())
  }

  /** Sets what it reads; starts at the first call. */
  lead(partitions: readonly KafkaPartition[]): void {
    this.#partitions = partitions
    this.#running ??= this.#run()
    this.wake()
  }

  /** There may be room again, or a partition that may be asked again. */
  wake(): void {
    this.#wakeup.notify()
  }

  async stop(): Promise<void> {
    this.#abort.abort(new WardenError('internal', 'the fetcher was stopped'))
    this.#reading.network.disconnect(this.#node)
    await this.#running
  }

  async #run(): Promise<void> {
    const { signal } = this.#abort
    let failures = 0
    while (!signal.aborted) {
      const asked = this.#choose()
      if (asked.length === 0) {
        await this.#wakeup.wait(signal).catch(() => {})
        continue
      }
      const error = await this.#step(asked, failures > 0)
      this.#release(asked)
      if (error === undefined) {
        failures = 0
        continue
      }
      if (signal.aborted) return
      if (error.recovery === 'stop') return this.#reading.fail(error)
      this.#failed(asked, error, failures)
      const wait = fullJitter(retryPolicy, failures++, this.#reading.random())
      await this.#reading.clock.sleep(wait, signal).catch(() => {})
    }
  }

  async #step(
    asked: readonly KafkaPartition[],
    isRecovery: boolean,
  ): Promise<WardenError | undefined> {
    try {
      const answer = await this.#fetch(asked)
      if (this.#abort.signal.aborted) return undefined
      if (isRecovery) this.#log('info', 'reads again from a broker')
      this.#accept(asked, answer)
      return undefined
    } catch (error) {
      return asWardenError(error)
    }
  }

  /** Others may ask for them again: the leader may have moved meanwhile. */
  #release(asked: readonly KafkaPartition[]): void {
    const moved = new Set<number>()
    for (const one of asked) {
      one.isAsked = false
      if (one.leader !== this.#node) moved.add(one.leader)
    }
    for (const node of moved) this.#reading.wake(node)
  }

  /** Marks and returns what is asked next, the longest waiting first. */
  #choose(): KafkaPartition[] {
    const { clock, meters } = this.#reading
    const now = clock.now()
    const chosen: KafkaPartition[] = []
    for (const one of this.#partitions) {
      if (one.isAsked || one.isStale || one.leader !== this.#node) continue
      const isFull = !one.held && this.#room(one) < this.#wantedRoom()
      meters.paused(one.pausedMs(now, isFull || one.held), one.held ? 'held' : 'buffer_full')
      if (isFull || one.held) continue
      one.isAsked = true
      one.waitingSince ??= now
      chosen.push(one)
    }
    return chosen.sort((a, b) => a.servedAt - b.servedAt)
  }

  #room(one: KafkaPartition): number {
    return this.#shareBytes() - one.bufferedBytes
  }

  #wantedRoom(): number {
    return Math.min(this.#reading.settings.maxBytesPerPartition, this.#shareBytes() / 2)
  }

  async #fetch(asked: readonly KafkaPartition[]): Promise<readonly FetchedPartition[]> {
    const { network, clock, settings } = this.#reading
    const partitions = asked.map((one) => ({
      topic: one.topic,
      topicId: one.topicId,
      partition: one.partition,
      leaderEpoch: one.leaderEpoch,
      offset: one.fetchOffset,
      maxBytes: Math.floor(Math.min(settings.maxBytesPerPartition, this.#room(one))),
    }))
    const maxBytes = partitions.reduce((sum, one) => sum + one.maxBytes, 0)
    const { isolation, maxWaitMs } = settings
    let isSilent = false
    const cancel = clock.after(maxWaitMs + settings.watchdogMs, () => {
      isSilent = true
      network.disconnect(this.#node)
    })
    try {
      return await network.fetch(this.#node, { isolation, maxWaitMs, maxBytes, partitions })
    } catch (error) {
      if (!isSilent) throw error
      const waited = `${maxWaitMs + settings.watchdogMs} ms`
      throw new WardenError('source_stalled', `no answer to a fetch within ${waited}`, {
        cause: error,
      })
    } finally {
      cancel()
    }
  }

  #accept(asked: readonly KafkaPartition[], answer: readonly FetchedPartition[]): void {
    const offsets = new Map(asked.map((one) => [`${one.topicId}/${one.partition}`, one]))
    const stalled: string[] = []
    const failed = new Map<string, string[]>()
    for (const part of answer) {
      const one = offsets.get(`${part.topicId}/${part.partition}`)
      if (one === undefined) continue
      if (part.error !== undefined) {
        failed.set(part.error, [...(failed.get(part.error) ?? []), one.name])
        this.#refused(one, part.error)
      } else if (!this.#deliver(one, part)) stalled.push(one.name)
    }
    for (const [error, names] of failed) this.#log('warn', 'partitions are not read', error, names)
    if (failed.size > 0) this.#reading.refresh()
    if (stalled.length > 0) {
      this.#reading.meters.reconnect('stalled')
      this.#log('warn', 'records wait and none arrives: connecting anew', undefined, stalled)
      this.#reading.network.disconnect(this.#node)
      this.#reading.refresh()
    }
    this.#reading.changed()
  }

  /** False when records have been waiting for too long. */
  #deliver(one: KafkaPartition, part: FetchedPartition): boolean {
    const { clock, meters, settings } = this.#reading
    const now = clock.now()
    const end = settings.isolation === 'read_committed' ? part.lastStableOffset : part.highWatermark
    let cameRecords = false
    if (part.records !== undefined) {
      const headers = readBatchHeaders(part.records)
      if (headers.isOldFormat) {
        const message = `${one.name} holds records in the format of Kafka 0.10 or older at offset ${one.fetchOffset}; rewrite the topic with a newer format`
        this.#reading.fail(new WardenError('source_unsupported', message))
        return true
      }
      if (headers.nextOffset > one.fetchOffset) {
        cameRecords = true
        one.buffer(part, part.records, headers)
        one.servedAt = ++deliveries
        meters.fetched(headers.bytes)
      }
    }
    one.answered(end, now, cameRecords)
    meters.lag(one.topic, one.partition, one.lag)
    if (one.waitingSince === undefined || now - one.waitingSince < settings.watchdogMs) return true
    const waiting = end - one.fetchOffset
    one.suffer(`nothing arrives although ${waiting} records wait at offset ${one.fetchOffset}`)
    meters.fetchError('source_stalled')
    return false
  }

  #refused(one: KafkaPartition, error: string): void {
    this.#reading.meters.fetchError(error.toLowerCase())
    one.isStale = true
    one.isOutOfRange = error === 'OFFSET_OUT_OF_RANGE'
    one.suffer(`broker ${this.#node} answers ${error}`)
    if (isRefusal(error)) {
      this.#reading.fail(new WardenError('source_auth', `no right to read ${one.name}: ${error}`))
    }
  }

  #failed(asked: readonly KafkaPartition[], error: WardenError, failures: number): void {
    const { meters } = this.#reading
    meters.fetchError(error.code)
    meters.reconnect(error.code === 'source_stalled' ? 'stalled' : 'failed')
    for (const one of asked) one.suffer(error.message)
    if (failures === 0) {
      const names = asked.map((one) => one.name)
      this.#log('warn', 'a broker is not reached: trying again', error.message, names)
    }
    this.#reading.refresh()
    this.#reading.changed()
  }

  #log(
    level: 'info' | 'warn',
    message: string,
    error?: string,
    names: readonly string[] = [],
  ): void {
    const few = names.slice(0, 5)
    const fields = { node: this.#node, error, partitions: few, count: names.length }
    this.#reading.logger[level](names.length === 0 ? { node: this.#node } : fields, message)
  }
}
