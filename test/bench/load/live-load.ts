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
  /** Users come back after so many events; more than a window has. */
  readonly users: number
  /** Share of batches that are sent once more. */
  readonly repeats: number
}

const recordsPerBatch = 50
const tickMs = 10
const templates = 16

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
  readonly #templates: readonly BatchTemplate[]
  /** Per window and template: batches sent, and batches sent a second time. */
  readonly #sent = new Map<number, { readonly first: number[]; readonly again: number[] }>()
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
    this.#templates = Array.from({ length: templates }, (_, index) => {
      const from = index * recordsPerBatch
      return new BatchTemplate(documents, all.slice(from, from + recordsPerBatch))
    })
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
    const { partitions, users, repeats } = this.#options
    const request: { partition: number; bytes: Buffer }[] = []
    for (let i = 0; i < count; i++) {
      const number = this.#batches++
      const index = number % templates
      const template = this.#templates[index] as BatchTemplate
      const room = Math.floor(users / recordsPerBatch)
      const bytes = template.batch(time, (number % room) * recordsPerBatch)
      request.push({ partition: number % partitions, bytes })
      this.#count(index, time, 'first')
      if (repeats > 0 && number % Math.round(1 / repeats) === 0) {
        // The other half of a pair may come in any order: the events are the same.
        await this.#writer.send([{ partition: number % partitions, bytes }])
        this.#count(index, time, 'again')
      }
    }
    await this.#writer.send(request, () => {
      const at = preciseNow()
      for (const { partition } of request) this.#acknowledged(partition, time, at)
    })
  }

  #count(template: number, time: number, which: 'first' | 'again'): void {
    const { windowMs } = this.#options
    const window = Math.floor(time / windowMs) * windowMs
    let sent = this.#sent.get(window)
    if (sent === undefined) {
      const none = () => Array.from({ length: templates }, () => 0)
      sent = { first: none(), again: none() }
      this.#sent.set(window, sent)
    }
    sent[which][template] = (sent[which][template] ?? 0) + 1
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
    for (const [window, { first, again }] of this.#sent) {
      this.#templates.forEach(({ events }, index) => {
        const users = first[index] ?? 0
        const all = users + (again[index] ?? 0)
        for (const event of events) this.#add(add, window, event, users, all)
      })
    }
    return counts
  }

  #add(
    add: (key: string, value: number) => void,
    window: number,
    event: LoanEvent,
    users: number,
    all: number,
  ): void {
    const success = event.isSuccess ? 1 : 0
    const series = dimensionsOf(this.#spec, event.series).join(' ')
    const figures = { users, success: success * users, events: all, rawSuccess: success * all }
    for (const figure of loanFigures) add(`loan ${window} ${series} ${figure}`, figures[figure])
    const outcome = event.isSuccess ? 'success' : 'fail'
    add(`channel ${window} ${channels[event.channel]} ${outcome}`, all)
  }
}
