import { setTimeout as sleep } from 'node:timers/promises'
import { BatchTemplate } from './batch-template.ts'
import { loanFigures } from './expected-counts.ts'
import { type LoadSpec, usualLoad } from './load-spec.ts'
import { LoanDocuments } from './loan-document.ts'
import { channels, dimensionsOf, type LoanEvent, loanEvents } from './loan-events.ts'
import { TopicWriter } from './topic-writer.ts'

export interface LiveLoadOptions {
  readonly bootstrap: string
  readonly topic: string
  readonly partitions: number
  /** Of the windows that are counted, a divisor of the day. */
  readonly windowMs: number
  /** Of the source that reads. */
  readonly outOfOrdernessMs: number
  /** About as many, who all have an event before any has a second one. */
  readonly users: number
}

const recordsPerBatch = 50
const tickMs = 10
const templates = 16
/** Marks of a slot in a window. */
const seenUsual = 1
const seenSucceeding = 2

interface SentInWindow {
  /** Of each slot: which of the two marks. */
  readonly seen: Uint8Array
  /** Batches sent of each template, and of its succeeding variant. */
  readonly usual: number[]
  readonly succeeding: number[]
}

/** Called when all partitions have an acknowledged event that carries the watermark past the end of a window. */
export type Triggered = (windowStart: number, atMs: number) => void

/** Epoch ms with a fraction. */
export function preciseNow(): number {
  return performance.timeOrigin + performance.now()
}

/** Events of now, at a rate that can be changed; knows what must be counted of them. */
export class LiveLoad {
  readonly #options: LiveLoadOptions
  readonly #spec: LoadSpec
  readonly #writer: TopicWriter
  readonly #triggered: Triggered
  /** What users do the first time, the third time …: some fail. */
  readonly #templates: readonly BatchTemplate[]
  /** What they do the second time, the fourth time …: they all succeed, so that failures of the same window are withdrawn. */
  readonly #succeeding: readonly BatchTemplate[]
  /** A slot is a batch's worth of users: always the same template, so always the same series. */
  readonly #slots: number
  readonly #windows = new Map<number, SentInWindow>()
  /** Per partition: end of the newest window that its acknowledged events have closed. */
  readonly #closed: number[]
  #rate = 0
  #sinceMs = 0
  #sentSince = 0
  #isStopped = false
  #batches = 0
  #events = 0

  private constructor(options: LiveLoadOptions, writer: TopicWriter, triggered: Triggered) {
    this.#options = options
    this.#writer = writer
    this.#triggered = triggered
    const events = templates * recordsPerBatch
    this.#spec = { ...usualLoad, events, users: events, partitions: options.partitions }
    const documents = new LoanDocuments(this.#spec)
    const all: LoanEvent[] = []
    for (const event of loanEvents(this.#spec)) all.push({ ...event })
    const made = (change: Partial<LoanEvent>) =>
      Array.from({ length: templates }, (_, index) => {
        const own = all.slice(index * recordsPerBatch, (index + 1) * recordsPerBatch)
        return new BatchTemplate(
          documents,
          own.map((event) => ({ ...event, ...change })),
        )
      })
    this.#templates = made({})
    this.#succeeding = made({ isSuccess: true })
    this.#slots = templates * Math.ceil(options.users / recordsPerBatch / templates)
    this.#closed = Array.from({ length: options.partitions }, () => 0)
  }

  static async connect(options: LiveLoadOptions, triggered: Triggered): Promise<LiveLoad> {
    const writer = await TopicWriter.connect(options.bootstrap, options.topic)
    return new LiveLoad(options, writer, triggered)
  }

  /** Events that were sent. */
  get events(): number {
    return this.#events
  }

  /** Events per second from now on; infinite for as many as the broker takes. */
  set rate(eventsPerSecond: number) {
    this.#rate = eventsPerSecond
    this.#sinceMs = performance.now()
    this.#sentSince = 0
  }

  /** Sends until it is stopped, then waits for the last acknowledgement. */
  async run(): Promise<void> {
    while (!this.#isStopped) {
      const due = (this.#rate * (performance.now() - this.#sinceMs)) / 1000 - this.#sentSince
      if (this.#rate === 0 || due < recordsPerBatch) await sleep(tickMs)
      else await this.#send(Math.floor(Math.min(due / recordsPerBatch, this.#options.partitions)))
    }
    await this.#writer.flush()
    await this.#writer.close()
  }

  stop(): void {
    this.#isStopped = true
  }

  /** Fills the past, a second of event time after the other, as fast as the broker takes it. */
  async backlog(fromMs: number, toMs: number, eventsPerSecond: number): Promise<void> {
    const batches = Math.ceil(eventsPerSecond / recordsPerBatch)
    for (let second = fromMs; second < toMs; second += 1000) {
      for (let sent = 0; sent < batches; sent += this.#options.partitions) {
        const time = Math.floor(second + (sent / batches) * 1000)
        await this.#send(Math.min(this.#options.partitions, batches - sent), time)
      }
    }
    await this.#writer.flush()
  }

  /** @param count batches, one for each of as many partitions */
  async #send(count: number, time = Math.floor(preciseNow())): Promise<void> {
    const { partitions } = this.#options
    const request: { partition: number; bytes: Buffer }[] = []
    for (let i = 0; i < count; i++) {
      const number = this.#batches++
      const slot = number % this.#slots
      const succeeds = Math.floor(number / this.#slots) % 2 === 1
      const variant = succeeds ? this.#succeeding : this.#templates
      const template = variant[slot % templates] as BatchTemplate
      request.push({
        partition: number % partitions,
        bytes: template.batch(time, slot * recordsPerBatch),
      })
      this.#count(time, slot, succeeds)
    }
    await this.#writer.send(request, () => {
      const at = preciseNow()
      for (const { partition } of request) this.#acknowledged(partition, time, at)
    })
  }

  #count(time: number, slot: number, succeeds: boolean): void {
    const { windowMs } = this.#options
    const start = Math.floor(time / windowMs) * windowMs
    let window = this.#windows.get(start)
    if (window === undefined) {
      const none = () => Array.from({ length: templates }, () => 0)
      window = { seen: new Uint8Array(this.#slots), usual: none(), succeeding: none() }
      this.#windows.set(start, window)
    }
    window.seen[slot] = (window.seen[slot] ?? 0) | (succeeds ? seenSucceeding : seenUsual)
    const batches = succeeds ? window.succeeding : window.usual
    batches[slot % templates] = (batches[slot % templates] ?? 0) + 1
    this.#events += recordsPerBatch
    this.#sentSince += recordsPerBatch
  }

  #acknowledged(partition: number, time: number, at: number): void {
    const { windowMs, outOfOrdernessMs } = this.#options
    const passed = Math.floor((time - outOfOrdernessMs) / windowMs) * windowMs
    const before = this.#closed[partition] ?? 0
    if (passed <= before) return
    const all = Math.min(...this.#closed)
    this.#closed[partition] = passed
    const allNow = Math.min(...this.#closed)
    if (allNow > all && all > 0) {
      for (let end = all + windowMs; end <= allNow; end += windowMs) {
        this.#triggered(end - windowMs, at)
      }
    }
  }

  /** What must be counted, as `ExpectedCounts` has it but for windows of any length. */
  counts(): Map<string, number> {
    const counts = new Map<string, number>()
    const add = (key: string, value: number) => {
      if (value > 0) counts.set(key, (counts.get(key) ?? 0) + value)
    }
    for (const [start, { seen, usual, succeeding }] of this.#windows) {
      this.#templates.forEach(({ events }, index) => {
        const own = seen.filter((_, slot) => slot % templates === index)
        const users = own.filter((marks) => marks !== 0).length
        const succeeded = own.filter((marks) => (marks & seenSucceeding) !== 0).length
        const batches = [usual[index] ?? 0, succeeding[index] ?? 0] as const
        for (const event of events) this.#add(add, start, event, { users, succeeded, batches })
      })
    }
    return counts
  }

  #add(
    add: (key: string, value: number) => void,
    start: number,
    event: LoanEvent,
    sent: {
      readonly users: number
      readonly succeeded: number
      readonly batches: readonly [usual: number, succeeding: number]
    },
  ): void {
    const { users, succeeded, batches } = sent
    const [usual, succeeding] = batches
    const series = dimensionsOf(this.#spec, event.series).join(' ')
    const figures = {
      users,
      success: event.isSuccess ? users : succeeded,
      events: usual + succeeding,
      rawSuccess: (event.isSuccess ? usual : 0) + succeeding,
    }
    for (const figure of loanFigures) add(`loan ${start} ${series} ${figure}`, figures[figure])
    const channel = `channel ${start} ${channels[event.channel]}`
    add(`${channel} ${event.isSuccess ? 'success' : 'fail'}`, usual)
    add(`${channel} success`, succeeding)
  }
}
