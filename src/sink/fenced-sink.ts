import { WardenError } from '../core/errors.ts'
import type { Tenure } from '../core/tenure.ts'
import type { LogMarks, LogSink } from './log-sink.ts'
import { type DataPoint, type Sink, unknownResult, type WriteResult } from './sink.ts'

const reason = 'another Warden may hold the lease: nothing is written'

/** A sink that writes nothing once the right to is over. What it was given stays in the outbox. */
export class FencedSink implements Sink {
  readonly name: string
  readonly #sink: Sink
  readonly #tenure: Tenure

  constructor(sink: Sink, tenure: Tenure) {
    this.name = sink.name
    this.#sink = sink
    this.#tenure = tenure
  }

  async write(points: readonly DataPoint[], signal: AbortSignal): Promise<WriteResult> {
    if (!this.#tenure.held()) return unknownResult(points, reason)
    return await this.#sink.write(points, signal)
  }

  close(): Promise<void> {
    return this.#sink.close()
  }
}

/** The same of a log. */
export class FencedLogSink implements LogSink {
  readonly name: string
  readonly #sink: LogSink
  readonly #tenure: Tenure

  constructor(sink: LogSink, tenure: Tenure) {
    this.name = sink.name
    this.#sink = sink
    this.#tenure = tenure
  }

  async open(): Promise<LogMarks> {
    this.#check()
    return await this.#sink.open()
  }

  async append(points: readonly DataPoint[], marks: LogMarks): Promise<void> {
    this.#check()
    await this.#sink.append(points, marks)
  }

  close(): Promise<void> {
    return this.#sink.close()
  }

  #check(): void {
    if (!this.#tenure.held()) throw new WardenError('lease_lost', reason)
  }
}
