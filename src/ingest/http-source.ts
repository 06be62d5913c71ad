import { asWardenError, WardenError } from '../core/errors.ts'
import type { Telemetry } from '../core/telemetry.ts'
import { type EpochMs, epochMs, MIN_TIME } from '../core/time.ts'
import { LogReader } from './http-log-reader.ts'
import type { OpenLogFile } from './http-log-scan.ts'
import { HttpReceiver, isLoopback } from './http-receiver.ts'
import { SegmentLog } from './http-segment-log.ts'
import type { PartitionPosition, PartitionStatus, Source, SourceBatch } from './source.ts'
import { Wakeup } from './wakeup.ts'

const mebibyte = 1024 * 1024

export interface HttpSourceOptions {
  readonly name: string
  /** Address to listen on; other than loopback only with a token. */
  readonly host: string
  /** 0: any free one, see `address`. */
  readonly port: number
  /** Bearer token that senders must show. */
  readonly token?: string | undefined
  /** Directory of the log; of this source alone. */
  readonly directory: string
  /** Default `/events`. */
  readonly path?: string
  /** Size of the log on disk at which senders get 429. Default 1 GiB. */
  readonly maxLogBytes?: number
  /** Unit of deletion; at most a quarter of `maxLogBytes`. Default 64 MiB. */
  readonly segmentBytes?: number
  /** Largest body, decompressed too; a larger one gets 413. Default 8 MiB. */
  readonly maxBodyBytes?: number
  /** Bytes that may wait to be written at once; then senders get 429. Default 32 MiB. */
  readonly maxPendingBytes?: number
  /** Bound of what is read ahead of the pipeline. Default 8 MiB. */
  readonly bufferBytes?: number
  /** Default 1 MiB; a longer line makes a batch of its own. */
  readonly batchBytes?: number
  /** Bound of the idempotency keys in memory, about 100 bytes each. Default 250,000. */
  readonly maxKeys?: number
  /** How long a key is known. Default 24 h. */
  readonly keepKeysMs?: number
  /**
   * Senders post a history from its begin, so that no window is partial. Default false: what happened before the log was
   * made was posted to nobody, and windows that began before it are partial.
   */
  readonly wholeHistory?: boolean
  /** Default: the file system's. */
  readonly openFile?: OpenLogFile
}

/**
 * Events by POST. A request is answered with 2xx when its events are durable in a log of the source's own; the log is read as
 * one partition, `0`, whose offsets count line bytes, and what a durable checkpoint covers is deleted from it.
 */
export class HttpSource implements Source {
  readonly name: string
  readonly bounded = false
  readonly #options: HttpSourceOptions
  readonly #telemetry: Telemetry
  readonly #log: SegmentLog
  readonly #receiver: HttpReceiver
  readonly #changed = new Wakeup()
  readonly #work = new Wakeup()
  readonly #queue: SourceBatch[] = []
  #buffered = 0
  #offset = 0
  #readFrom: EpochMs = MIN_TIME
  #held = false
  #readerAtEnd = false
  #reader: LogReader | undefined
  #failure: WardenError | undefined
  #closing = false
  #running: Promise<void> = Promise.resolve()
  readonly #status: PartitionStatus

  constructor(options: HttpSourceOptions, telemetry: Telemetry) {
    if (options.token === undefined && !isLoopback(options.host))
      throw new WardenError(
        'config_invalid',
        `source ${options.name}: listens on ${options.host}, which others can reach: set a token, or listen on 127.0.0.1`,
      )
    this.name = options.name
    this.#options = options
    this.#telemetry = telemetry
    const maxLogBytes = options.maxLogBytes ?? 1024 * mebibyte
    this.#log = new SegmentLog(
      {
        directory: options.directory,
        segmentBytes: Math.min(options.segmentBytes ?? 64 * mebibyte, Math.ceil(maxLogBytes / 4)),
        keepKeysMs: options.keepKeysMs ?? 24 * 3_600_000,
        maxKeys: options.maxKeys ?? 250_000,
        ...(options.openFile === undefined ? {} : { openFile: options.openFile }),
      },
      telemetry,
    )
    this.#receiver = new HttpReceiver(
      {
        source: options.name,
        host: options.host,
        port: options.port,
        token: options.token,
        path: options.path ?? '/events',
        maxBodyBytes: options.maxBodyBytes ?? 8 * mebibyte,
        maxPendingBytes: options.maxPendingBytes ?? 32 * mebibyte,
        maxLogBytes,
      },
      this.#log,
      telemetry,
    )
    this.#status = this.#describe()
  }

  /** Where it listens, once open. */
  get address(): { readonly host: string; readonly port: number } {
    return this.#receiver.address
  }

  async open(positions: ReadonlyMap<string, PartitionPosition>): Promise<void> {
    await this.#log.open()
    const known = positions.get('0')
    if (known === undefined) {
      this.#offset = this.#log.start
      const whole = this.#log.start === 0 && this.#options.wholeHistory === true
      this.#readFrom = whole ? MIN_TIME : await this.#begin()
    } else {
      this.#restore(known)
    }
    this.#reader = new LogReader(this.#log, this.#offset)
    this.#log.onAppended = () => {
      this.#readerAtEnd = false
      this.#work.notify()
    }
    this.#running = this.#run(this.#reader)
    await this.#receiver.listen()
    this.#telemetry.logger.info(
      { source: this.name, ...this.address, unread: this.#log.end - this.#offset },
      'taking events by POST',
    )
  }

  take(): SourceBatch | undefined {
    if (this.#failure !== undefined) throw this.#failure
    if (this.#held) return undefined
    const batch = this.#queue.shift()
    if (batch === undefined) return undefined
    this.#offset = batch.nextOffset
    this.#buffered -= batch.bytes.length
    this.#work.notify()
    return batch
  }

  async ready(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    if (this.#failure !== undefined) throw this.#failure
    if (this.#queue.length > 0 && !this.#held) return
    await this.#changed.wait(signal)
    if (this.#failure !== undefined) throw this.#failure
  }

  partitions(): readonly PartitionStatus[] {
    return [this.#status]
  }

  hold(_partition: number, held: boolean): void {
    if (this.#held === held) return
    this.#held = held
    this.#work.notify()
    this.#changed.notify()
  }

  async checkpointed(positions: ReadonlyMap<string, PartitionPosition>): Promise<void> {
    const position = positions.get('0')
    if (position === undefined) return
    try {
      await this.#log.deleteBefore(position.offset)
    } catch (error) {
      this.#telemetry.logger.warn(
        { source: this.name, error },
        'could not delete segments of the log; the next checkpoint tries again',
      )
    }
  }

  ended(): boolean {
    return false
  }

  async close(): Promise<void> {
    this.#closing = true
    await this.#receiver.close()
    this.#work.notify()
    await this.#running
    await this.#reader?.close()
    await this.#log.close()
  }

  async #run(reader: LogReader): Promise<void> {
    const bufferBytes = this.#options.bufferBytes ?? 8 * mebibyte
    try {
      while (!this.#closing) {
        if (this.#held || this.#buffered >= bufferBytes) {
          await this.#work.wait()
          continue
        }
        this.#readerAtEnd = true
        const block = await reader.next()
        if (block === undefined) {
          this.#changed.notify()
          await this.#work.wait()
          continue
        }
        this.#enqueue(block.bytes, block.offset, block.arrival)
      }
    } catch (error) {
      this.#failure = asWardenError(error)
    }
    this.#changed.notify()
  }

  /** Cuts a block at line ends. */
  #enqueue(bytes: Buffer, offset: number, arrival: EpochMs): void {
    const batchBytes = this.#options.batchBytes ?? mebibyte
    let start = 0
    while (start < bytes.length) {
      const last = bytes.lastIndexOf(0x0a, start + batchBytes - 1) + 1
      const end = last > start ? last : bytes.indexOf(0x0a, start) + 1
      this.#queue.push({
        partition: 0,
        framing: 'lines',
        bytes: bytes.subarray(start, end),
        fromOffset: offset + start,
        nextOffset: offset + end,
        recordTimestamp: arrival,
        aborted: [],
      })
      start = end
    }
    this.#buffered += bytes.length
    this.#changed.notify()
  }

  /** Time from which on a log that is read without a checkpoint is complete. */
  async #begin(): Promise<EpochMs> {
    if (this.#log.start === 0) return this.#log.createdAt
    const reader = new LogReader(this.#log, this.#log.start)
    try {
      return (await reader.next())?.arrival ?? this.#telemetry.clock.now()
    } finally {
      await reader.close()
    }
  }

  #restore({ offset, identity }: PartitionPosition): void {
    const [id, readFrom = ''] = identity.split('@')
    const held = `log ${this.#log.id} holds ${this.#log.start} to ${this.#log.end}`
    if (id !== this.#log.id || offset < this.#log.start || offset > this.#log.end)
      throw new WardenError(
        'data_loss',
        `source ${this.name}: the checkpoint stands at ${offset} of log ${id}, but ${this.#options.directory} is another or was cut (${held}); bring the directory back, or remove the state to start anew`,
      )
    this.#offset = offset
    this.#readFrom = readFrom === '' ? MIN_TIME : epochMs(Number(readFrom))
  }

  #caughtUp(): boolean {
    return (
      !this.#held &&
      this.#readerAtEnd &&
      this.#queue.length === 0 &&
      this.#offset === this.#log.end &&
      this.#failure === undefined
    )
  }

  #describe(): PartitionStatus {
    const source = this
    return {
      name: '0',
      lost: undefined,
      get position() {
        const since = Number.isFinite(source.#readFrom) ? source.#readFrom : ''
        return { offset: source.#offset, identity: `${source.#log.id}@${since}` }
      },
      get readFrom() {
        return source.#readFrom
      },
      get caughtUpAt() {
        return source.#caughtUp() ? source.#telemetry.clock.now() : undefined
      },
      get lag() {
        return source.#log.end - source.#offset
      },
      get trouble() {
        return source.#receiver.trouble
      },
    }
  }
}
