import { asWardenError, WardenError } from '../core/errors.ts'
import type { Telemetry } from '../core/telemetry.ts'
import { MIN_TIME } from '../core/time.ts'
import { unreadable } from './file-bytes.ts'
import { matchingFiles } from './file-glob.ts'
import { BufferPool } from './file-lines.ts'
import { FilePartition, type PartitionReading, toRead } from './file-partition.ts'
import { type FileLook, judgeFiles, newFiles } from './file-rotation.ts'
import { decodeIdentity, type FileSight, sight } from './file-tracking.ts'
import type { PartitionPosition, PartitionStatus, Source, SourceBatch } from './source.ts'
import { Wakeup } from './wakeup.ts'

const mebibyte = 1024 * 1024

export interface FileSourceOptions {
  readonly name: string
  /** File names and patterns with `*`, `?` and `**`; names that end in `.gz` are decompressed. */
  readonly paths: readonly string[]
  /** Wait for more, over rotation, and for new files; otherwise the source ends with the last line. */
  readonly follow: boolean
  /** One partition for each file name instead of one, named `0`, for all in name order. */
  readonly partitionPerFile: boolean
  /** Where reading starts without a checkpoint; `latest` only with `follow`. Default: earliest. */
  readonly from?: 'earliest' | 'latest'
  /** What to do when a file was lost or changed before it was read to its end. Default: stop. */
  readonly onDataLoss?: 'stop' | 'continue'
  /** Default 1 MiB. */
  readonly batchBytes?: number
  /** Bound of what is read ahead, for all partitions. Default 8 MiB. */
  readonly bufferBytes?: number
  /** A longer line is handed on cut to `oversizedBytes`, for the decoder to refuse. Default 16 MiB. */
  readonly maxLineBytes?: number
  /** More than the decoder takes. Default 1 MiB + 1. */
  readonly oversizedBytes?: number
  /** How often followed files are looked at. Default 250 ms. */
  readonly pollMs?: number
  /** How long a file that rotation moved out of the patterns is still watched for writers that keep it open. Default 60 s. */
  readonly rotatedGraceMs?: number
}

/**
 * JSON lines from files. A position lists the files with what was taken of each; a file is known by inode and first bytes,
 * so that a renamed one is the same file and another one under an old name is not.
 * Copies that rotation makes (`copytruncate`, compressed files) must not match the patterns: they would be read again.
 */
export class FileSource implements Source {
  readonly name: string
  readonly bounded: boolean
  readonly #options: FileSourceOptions
  readonly #telemetry: Telemetry
  readonly #pool: BufferPool
  readonly #reading: PartitionReading
  readonly #partitions: FilePartition[] = []
  readonly #changed = new Wakeup()
  readonly #work = new Wakeup()
  readonly #bufferBytes: number
  #buffered = 0
  #lent: Buffer | undefined
  #nextPartition = 0
  #lastLook = Number.NEGATIVE_INFINITY
  #failure: WardenError | undefined
  #closing = false
  #running: Promise<void> = Promise.resolve()

  constructor(options: FileSourceOptions, telemetry: Telemetry) {
    if (options.from === 'latest' && !options.follow)
      throw new WardenError(
        'config_invalid',
        `source ${options.name}: from: latest reads nothing of files that are not followed; set follow: true`,
      )
    this.name = options.name
    this.bounded = !options.follow
    this.#options = options
    this.#telemetry = telemetry
    this.#bufferBytes = options.bufferBytes ?? 8 * mebibyte
    const limits = {
      batchBytes: options.batchBytes ?? mebibyte,
      maxLineBytes: options.maxLineBytes ?? 16 * mebibyte,
      oversizedBytes: options.oversizedBytes ?? mebibyte + 1,
    }
    this.#pool = new BufferPool(limits.batchBytes)
    this.#reading = {
      limits,
      pool: this.#pool,
      bounded: this.bounded,
      now: () => telemetry.clock.now(),
      lose: (partition, error) => this.#lose(partition, error),
    }
  }

  async open(positions: ReadonlyMap<string, PartitionPosition>): Promise<void> {
    for (const [name, position] of positions) {
      const { files, readFrom } = decodeIdentity(position.identity)
      const start = {
        offset: position.offset,
        files: files.map((file) => toRead(file, undefined)),
        readFrom,
      }
      this.#add(name, start)
    }
    if (!this.#options.partitionPerFile && this.#partitions.length === 0)
      this.#add('0', { offset: 0, files: [], readFrom: this.#readFrom() })
    await this.#look({
      starting: true,
      skip: this.#options.from === 'latest' && positions.size === 0,
    })
    const files = this.#partitions.reduce((sum, each) => sum + each.files.length, 0)
    if (files === 0 && this.bounded && positions.size === 0)
      throw new WardenError(
        'source_missing',
        `source ${this.name}: no file matches ${this.#options.paths.join(', ')}`,
      )
    this.#telemetry.logger.info({ source: this.name, files }, 'files opened')
    if (files === 0)
      this.#telemetry.logger.warn(
        { source: this.name, paths: this.#options.paths },
        'no file matches yet',
      )
    this.#running = this.#run()
  }

  take(): SourceBatch | undefined {
    if (this.#lent !== undefined) this.#pool.release(this.#lent)
    this.#lent = undefined
    if (this.#failure !== undefined) throw this.#failure
    const count = this.#partitions.length
    for (let i = 0; i < count; i += 1) {
      const partition = this.#partitions[(this.#nextPartition + i) % count]
      if (partition === undefined || partition.held) continue
      const taken = partition.take()
      if (taken === undefined) continue
      this.#nextPartition = (partition.index + 1) % count
      this.#lent = taken.owner
      this.#buffered -= taken.batch.bytes.length
      this.#work.notify()
      return taken.batch
    }
    return undefined
  }

  async ready(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    if (this.#failure !== undefined) throw this.#failure
    if (this.ended() || this.#partitions.some((each) => each.waiting && !each.held)) return
    await this.#changed.wait(signal)
    if (this.#failure !== undefined) throw this.#failure
  }

  partitions(): readonly PartitionStatus[] {
    return this.#partitions
  }

  hold(partition: number, held: boolean): void {
    const found = this.#partitions[partition]
    if (found === undefined || found.held === held) return
    found.held = held
    this.#work.notify()
    this.#changed.notify()
  }

  async checkpointed(): Promise<void> {}

  ended(): boolean {
    return this.bounded && this.#partitions.every((each) => each.drained && !each.waiting)
  }

  async close(): Promise<void> {
    this.#closing = true
    this.#work.notify()
    await this.#running
    for (const partition of this.#partitions) await partition.close()
  }

  async #run(): Promise<void> {
    const pollMs = this.#options.pollMs ?? 250
    try {
      while (!this.#closing) {
        if (!this.bounded && this.#telemetry.clock.now() - this.#lastLook >= pollMs)
          await this.#look({ starting: false, skip: false })
        if (await this.#fill()) continue
        if (this.bounded && this.#partitions.every((each) => each.drained)) break
        await this.#pause(pollMs)
      }
    } catch (error) {
      this.#failure =
        error instanceof WardenError || !(error instanceof Error && 'code' in error)
          ? asWardenError(error)
          : unreadable(this.#options.paths.join(', '), error)
    }
    this.#changed.notify()
  }

  /** What held partitions have in the buffer takes no room of those that they wait for. */
  get #isFull(): boolean {
    if (this.#buffered < this.#bufferBytes) return false
    let waiting = 0
    for (const { held, buffered } of this.#partitions) if (held) waiting += buffered
    return this.#buffered - waiting >= this.#bufferBytes
  }

  /** One batch of every partition that may be read; false when there was nothing to do. */
  async #fill(): Promise<boolean> {
    let progressed = false
    for (const partition of this.#partitions) {
      if (this.#closing) return false
      if (partition.held || partition.drained || this.#isFull) continue
      const bytes = await partition.readNext()
      this.#buffered += bytes
      progressed = true
      this.#changed.notify()
    }
    return progressed
  }

  async #pause(pollMs: number): Promise<void> {
    if (this.bounded) return this.#work.wait()
    const timer = new AbortController()
    const poll = this.#telemetry.clock
      .sleep(pollMs, timer.signal)
      .then(() => this.#work.notify())
      .catch(() => undefined)
    await this.#work.wait()
    timer.abort()
    await poll
  }

  /** Looks at the disk: where files went, what grew, what is new. */
  async #look(how: { readonly starting: boolean; readonly skip: boolean }): Promise<void> {
    const now = this.#telemetry.clock.now()
    const names = await matchingFiles(this.#options.paths)
    const listed = new Map<string, FileSight>()
    for (const name of names) {
      const seen = await sight(name)
      // A hard link is the same file.
      if (seen !== undefined && !listed.has(seen.key)) listed.set(seen.key, seen)
    }
    const look: FileLook = {
      now,
      listed: [...listed.values()],
      byInode: new Map([...listed.values()].map((seen) => [seen.inode, seen])),
      starting: how.starting,
      bounded: this.bounded,
      graceMs: this.#options.rotatedGraceMs ?? 60_000,
      tracked: new Set(),
      logger: this.#telemetry.logger.child({ source: this.name }),
      lose: this.#reading.lose,
    }
    for (const partition of this.#partitions) await judgeFiles(partition, look)
    for (const file of await newFiles(look, how.skip)) {
      const partition = this.#partitionOf(file.name)
      partition.files.push(file)
      partition.touched()
      if (!how.starting)
        look.logger.info({ file: file.name, partition: partition.name }, 'new file')
    }
    for (const partition of this.#partitions) partition.lookedAt = now
    this.#lastLook = now
    this.#changed.notify()
  }

  #partitionOf(file: string): FilePartition {
    const name = this.#options.partitionPerFile ? file : '0'
    const known = this.#partitions.find((each) => each.name === name)
    return known ?? this.#add(name, { offset: 0, files: [], readFrom: this.#readFrom() })
  }

  #readFrom() {
    return this.#options.from === 'latest' ? this.#telemetry.clock.now() : MIN_TIME
  }

  #add(name: string, start: ConstructorParameters<typeof FilePartition>[2]): FilePartition {
    const partition = new FilePartition(name, this.#partitions.length, start, this.#reading)
    this.#partitions.push(partition)
    return partition
  }

  #lose(partition: FilePartition, error: Error): void {
    const what = `source ${this.name}, partition ${partition.name}: ${error.message}`
    if (this.#options.onDataLoss !== 'continue')
      throw new WardenError(
        'data_loss',
        `${what}; bring the file back, or go on without it by onDataLoss: continue`,
        { cause: error },
      )
    this.#telemetry.logger.error({ source: this.name, partition: partition.name }, what)
    this.#telemetry.metrics
      .counter('warden_source_losses_total', 'Times that records were lost upstream.', ['source'])
      .add(1, { source: this.name })
    partition.lost = { from: MIN_TIME, to: this.#telemetry.clock.now() }
    partition.touched()
  }
}
