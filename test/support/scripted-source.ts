import type { WardenError } from '../../src/core/errors.ts'
import { epochMs, MIN_TIME } from '../../src/core/time.ts'
import type {
  PartitionPosition,
  PartitionStatus,
  Source,
  SourceBatch,
} from '../../src/ingest/source.ts'
import { Wakeup } from '../../src/ingest/wakeup.ts'

type Settable<T> = { -readonly [K in keyof T]: T[K] }

/** A partition of a scripted source: batches of documents, one offset each. */
class ScriptedPartition {
  readonly status: Settable<PartitionStatus>
  readonly queue: (readonly string[])[] = []
  held = false

  constructor(name: string, offset: number, readFrom: number) {
    this.status = {
      name,
      position: { offset, identity: 'scripted' },
      readFrom: epochMs(readFrom),
      caughtUpAt: undefined,
      lag: 0,
      trouble: undefined,
      lost: undefined,
    }
  }
}

/**
 * A source in memory that gives what the test tells it to. `log` outlives it: a source that is opened at a position goes on
 * in the log of before, as a broker would.
 */
export class ScriptedSource implements Source {
  readonly name = 'orders'
  readonly bounded = false
  readonly #log: ScriptedLog
  readonly #changed = new Wakeup()
  readonly #partitions: ScriptedPartition[] = []
  readonly checkpoints: ReadonlyMap<string, PartitionPosition>[] = []
  failure: WardenError | undefined
  openFailure: WardenError | undefined
  isOver = false
  closed = false
  readyCalls = 0

  constructor(log: ScriptedLog) {
    this.#log = log
    log.sources.add(this)
  }

  async open(positions: ReadonlyMap<string, PartitionPosition>): Promise<void> {
    if (this.openFailure !== undefined) throw this.openFailure
    for (const [name, batches] of this.#log.partitions) {
      const from = positions.get(name)?.offset ?? 0
      const partition = new ScriptedPartition(name, from, this.#log.readFrom)
      let offset = 0
      for (const batch of batches) {
        if (offset >= from) partition.queue.push(batch)
        offset += sizeOf(batch)
      }
      this.#partitions.push(partition)
    }
  }

  take(): SourceBatch | undefined {
    if (this.failure !== undefined) throw this.failure
    for (const [index, { status, queue, held }] of this.#partitions.entries()) {
      const batch = held ? undefined : queue.shift()
      if (batch === undefined) continue
      const fromOffset = status.position.offset
      const nextOffset = fromOffset + sizeOf(batch)
      status.position = { offset: nextOffset, identity: 'scripted' }
      return {
        partition: index,
        framing: 'lines',
        bytes: Buffer.from(batch.map((line) => `${line}\n`).join('')),
        fromOffset,
        nextOffset,
        recordTimestamp: epochMs(0),
        aborted: [],
      }
    }
    return undefined
  }

  async ready(signal: AbortSignal): Promise<void> {
    this.readyCalls++
    signal.throwIfAborted()
    if (this.failure !== undefined) throw this.failure
    if (this.ended() || this.#partitions.some(({ queue, held }) => queue.length > 0 && !held))
      return
    await this.#changed.wait(signal)
  }

  partitions(): readonly Settable<PartitionStatus>[] {
    return this.#partitions.map(({ status }) => status)
  }

  isHeld(partition: number): boolean {
    return this.#partitions[partition]?.held ?? false
  }

  hold(partition: number, held: boolean): void {
    const one = this.#partitions[partition]
    if (one !== undefined) one.held = held
  }

  async checkpointed(positions: ReadonlyMap<string, PartitionPosition>): Promise<void> {
    this.checkpoints.push(positions)
  }

  ended(): boolean {
    return this.isOver && this.#partitions.every(({ queue }) => queue.length === 0)
  }

  async close(): Promise<void> {
    this.closed = true
    this.#log.sources.delete(this)
  }

  /** Says no more than what was given so far. */
  end(): void {
    this.isOver = true
    this.#changed.notify()
  }

  fail(error: WardenError): void {
    this.failure = error
    this.#changed.notify()
  }

  deliver(partition: string, batch: readonly string[]): void {
    this.#partitions.find(({ status }) => status.name === partition)?.queue.push(batch)
    this.#changed.notify()
  }
}

const sizeOf = (batch: readonly string[]): number =>
  batch.reduce((bytes, line) => bytes + Buffer.byteLength(line) + 1, 0)

/** What was ever sent, per partition; sources that read it get what is sent while they are open. */
export class ScriptedLog {
  readonly partitions = new Map<string, (readonly string[])[]>()
  readonly sources = new Set<ScriptedSource>()
  /** Time before which the log was not read. */
  readFrom: number = MIN_TIME

  constructor(...names: readonly string[]) {
    for (const name of names) this.partitions.set(name, [])
  }

  /** Appends documents as one batch. */
  send(partition: string, ...documents: readonly (object | string)[]): void {
    const batch = documents.map((one) => (typeof one === 'string' ? one : JSON.stringify(one)))
    this.partitions.get(partition)?.push(batch)
    for (const source of this.sources) source.deliver(partition, batch)
  }
}
