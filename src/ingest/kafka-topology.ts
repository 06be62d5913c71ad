import { fullJitter } from '../core/backoff.ts'
import { asWardenError, WardenError } from '../core/errors.ts'
import { type EpochMs, MIN_TIME } from '../core/time.ts'
import { isRefusal } from './kafka-errors.ts'
import { KafkaFetcher } from './kafka-fetcher.ts'
import { lossError, settleLoss } from './kafka-loss.ts'
import { type KafkaMetadata, partitionName, type TopicMetadata } from './kafka-network.ts'
import { identityOf, KafkaPartition } from './kafka-partition.ts'
import { type KafkaReading, type KafkaStart, retryPolicy } from './kafka-reading.ts'
import { findStartPoints, type Unstarted } from './kafka-start.ts'
import { missingTopics } from './kafka-topic-names.ts'
import type { PartitionPosition } from './source.ts'
import { Wakeup } from './wakeup.ts'

const openAttempts = 4
/** Brokers that just started may not know a topic for a moment: only after this it counts as deleted. */
const deletedAfterMs = 10_000

/** Who leads what: keeps the partitions and one fetcher per leader in step with the cluster's metadata. */
export class KafkaTopology {
  readonly #reading: KafkaReading
  readonly #partitions: KafkaPartition[] = []
  readonly #fetchers = new Map<number, KafkaFetcher>()
  readonly #byName = new Map<string, KafkaPartition>()
  /** Partitions of each topic when it was seen first. */
  readonly #counts = new Map<string, number>()
  readonly #wanted = new Wakeup()
  readonly #abort = new AbortController()
  #running: Promise<void> | undefined

  constructor(reading: KafkaReading) {
    this.#reading = reading
  }

  get partitions(): readonly KafkaPartition[] {
    return this.#partitions
  }

  /** Finds the partitions and where to start in each; reading begins when all have a position. */
  async open(positions: ReadonlyMap<string, PartitionPosition>): Promise<void> {
    for (let attempt = 0; ; attempt++) {
      try {
        await this.#apply(await this.#firstMetadata(positions), positions)
        break
      } catch (error) {
        const known = asWardenError(error)
        if (known.recovery === 'stop' || attempt + 1 >= openAttempts) throw known
        const wait = fullJitter(retryPolicy, attempt + 1, this.#reading.random())
        await this.#reading.clock.sleep(wait, this.#abort.signal)
      }
    }
    this.#assignFetchers()
    this.#running = this.#keepFresh()
  }

  /** Asks for fresh metadata soon. */
  refresh(): void {
    this.#wanted.notify()
  }

  wake(node: number): void {
    this.#fetchers.get(node)?.wake()
  }

  async close(): Promise<void> {
    this.#abort.abort(new WardenError('internal', 'the source was closed'))
    await Promise.all([...this.#fetchers.values()].map((fetcher) => fetcher.stop()))
    await this.#running
  }

  async #firstMetadata(positions: ReadonlyMap<string, PartitionPosition>): Promise<KafkaMetadata> {
    const { network, settings } = this.#reading
    const metadata = await network.metadata(settings.topics)
    const missing = settings.topics.filter((topic) => {
      const found = metadata.topics.get(topic)
      return found === undefined || found.error === 'UNKNOWN_TOPIC_OR_PARTITION'
    })
    const [first] = missing
    if (first === undefined) return metadata
    const lost = [...positions.keys()].find((name) => topicOf(name) === first)
    if (lost === undefined) throw missingTopics(missing, await network.topicNames())
    const { offset, identity } = positions.get(lost) ?? { offset: 0, identity: '' }
    const one = new KafkaPartition({
      topic: first,
      partition: Number(lost.slice(first.length + 1)),
      index: 0,
      offset,
      identity,
      readFrom: MIN_TIME,
    })
    if (settings.onDataLoss === 'stop') throw lossError(one, 'deleted', undefined)
    throw missingTopics(missing, await network.topicNames())
  }

  async #keepFresh(): Promise<void> {
    const { clock, settings, network, random } = this.#reading
    const { signal } = this.#abort
    let troubled = 0
    while (!signal.aborted) {
      try {
        if (troubled === 0) await this.#nextRefresh(settings.metadataRefreshMs)
        else await clock.sleep(fullJitter(retryPolicy, troubled, random()), signal)
        await this.#apply(await network.metadata(settings.topics), undefined)
        this.#assignFetchers()
      } catch (error) {
        if (signal.aborted) return
        const known = asWardenError(error)
        if (known.recovery === 'stop') return this.#reading.fail(known)
        this.#reading.meters.fetchError(`metadata_${known.code}`)
        const fields = { error: known.message }
        if (troubled === 0) this.#reading.logger.warn(fields, 'metadata was not refreshed')
        for (const one of this.#partitions) if (one.isStale) one.suffer(known.message)
      }
      const isTroubled = this.#partitions.some((one) => one.trouble !== undefined)
      troubled = isTroubled ? troubled + 1 : 0
      this.#reading.changed()
    }
  }

  /** Resolves when somebody asks, after a short random wait that gathers more, or when the time has come. */
  async #nextRefresh(everyMs: number): Promise<void> {
    const cancel = this.#reading.clock.after(everyMs, () => this.#wanted.notify())
    try {
      await this.#wanted.wait(this.#abort.signal)
    } finally {
      cancel()
    }
    const gather = fullJitter(retryPolicy, 0, this.#reading.random())
    await this.#reading.clock.sleep(gather, this.#abort.signal)
  }

  /** @param positions of the checkpoint while opening; undefined later, when new partitions are read from their beginning */
  async #apply(
    metadata: KafkaMetadata,
    positions: ReadonlyMap<string, PartitionPosition> | undefined,
  ): Promise<void> {
    const { settings, clock } = this.#reading
    for (const topic of settings.topics) {
      const found = metadata.topics.get(topic)
      if (found === undefined || found.error !== undefined) {
        this.#withoutTopic(topic, found?.error ?? 'UNKNOWN_TOPIC_OR_PARTITION', clock.now())
        continue
      }
      const identity = identityOf(metadata.clusterId, found.topicId)
      this.#judgeCount(topic, found.partitions.length)
      const added = await this.#updateKnown(topic, found, identity, positions)
      const isNew =
        positions !== undefined && ![...positions.keys()].some((name) => topicOf(name) === topic)
      await this.#add(added, identity, isNew ? settings.from : 'earliest', positions === undefined)
    }
  }

  /** Returns the partitions that are not known yet. */
  async #updateKnown(
    topic: string,
    found: TopicMetadata,
    identity: string,
    positions: ReadonlyMap<string, PartitionPosition> | undefined,
  ): Promise<Unstarted[]> {
    const added: Unstarted[] = []
    for (const its of found.partitions) {
      if (!this.#isMine(topic, its.partition)) continue
      const target = { ...its, topic, topicId: found.topicId }
      const name = partitionName(target)
      const saved = positions?.get(name)
      const one = this.#byName.get(name) ?? (saved && this.#register(target, saved, MIN_TIME))
      if (one === undefined) {
        added.push(target)
        continue
      }
      one.goneSince = undefined
      if (one.identity !== identity || one.isOutOfRange) {
        one.isStale = true
        if (target.leader >= 0) await settleLoss(this.#reading, one, target, identity)
      }
      if (one.identity === identity && !one.isOutOfRange) one.lead(its)
    }
    return added
  }

  #isMine(topic: string, partition: number): boolean {
    const { share, topics } = this.#reading.settings
    const step = share.fixed ? 0 : topics.indexOf(topic)
    return (partition + step) % share.of === share.index
  }

  /** Where users belong to partitions, more partitions mean that users move. */
  #judgeCount(topic: string, count: number): void {
    const { settings, fail } = this.#reading
    const before = this.#counts.get(topic) ?? count
    this.#counts.set(topic, before)
    if (!settings.share.fixed || count === before) return
    const what = `topic ${topic} had ${before} partitions and has ${count}: users may have moved`
    fail(new WardenError('partitions_changed', `${what}, so lanes exchange rows for a while`))
  }

  async #add(
    added: readonly Unstarted[],
    identity: string,
    from: KafkaStart,
    isLater: boolean,
  ): Promise<void> {
    const starts = await findStartPoints(this.#reading, added, from)
    added.forEach((target, i) => {
      const { offset, readFrom } = starts[i] ?? { offset: 0, readFrom: MIN_TIME }
      const one = this.#register(target, { offset, identity }, readFrom)
      one.lead(target)
      const fields = { partition: one.name, offset, readFrom }
      if (isLater) this.#reading.logger.info(fields, 'a new partition is read from its beginning')
    })
  }

  #register(target: Unstarted, position: PartitionPosition, readFrom: EpochMs): KafkaPartition {
    const index = this.#partitions.length
    const one = new KafkaPartition({ ...target, ...position, index, readFrom })
    this.#partitions.push(one)
    this.#byName.set(one.name, one)
    return one
  }

  #withoutTopic(topic: string, error: string, now: EpochMs): void {
    if (isRefusal(error))
      throw new WardenError('source_auth', `no right to topic ${topic}: ${error}`)
    const { meters, settings } = this.#reading
    for (const one of this.#partitions) {
      if (one.topic !== topic) continue
      one.isStale = true
      one.leader = -1
      one.suffer(`topic ${topic}: ${error}`)
      if (error !== 'UNKNOWN_TOPIC_OR_PARTITION') continue
      one.goneSince ??= now
      if (now - one.goneSince < deletedAfterMs) continue
      if (settings.onDataLoss === 'stop') throw lossError(one, 'deleted', undefined)
      one.suffer(`topic ${topic} was deleted`)
      meters.lag(topic, one.partition, undefined)
    }
  }

  #assignFetchers(): void {
    const led = new Map<number, KafkaPartition[]>()
    for (const one of this.#partitions) {
      if (one.leader < 0) continue
      const others = led.get(one.leader)
      if (others === undefined) led.set(one.leader, [one])
      else others.push(one)
    }
    for (const [node, fetcher] of this.#fetchers) {
      if (led.has(node)) continue
      this.#fetchers.delete(node)
      void fetcher.stop()
    }
    const shareBytes = (): number =>
      this.#reading.settings.bufferBytes / Math.max(1, this.#partitions.length)
    for (const [node, partitions] of led) {
      const known = this.#fetchers.get(node)
      const fetcher = known ?? new KafkaFetcher(node, this.#reading, shareBytes)
      this.#fetchers.set(node, fetcher)
      fetcher.lead(partitions)
    }
  }
}

function topicOf(partition: string): string {
  return partition.slice(0, partition.lastIndexOf('-'))
}
