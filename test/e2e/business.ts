import { Kafka, logLevel, type Message, Partitioners, type Producer } from 'kafkajs'

const tickMs = 100
/** Every so many events one comes twice: its user counts once. */
const twiceEvery = 7

/** A business that goes on in real time: users of several products, each once, spread over two partitions. It remembers what it did. */
export class Business {
  readonly #producer: Producer
  readonly #topic: string
  readonly #sizeMs: number
  readonly #running = new Set<string>()
  /** Start of a window → product → users. */
  readonly #windows = new Map<number, Map<string, number>>()
  #timer: NodeJS.Timeout | undefined
  #sending: Promise<unknown> = Promise.resolve()
  #events = 0

  private constructor(producer: Producer, topic: string, sizeMs: number) {
    this.#producer = producer
    this.#topic = topic
    this.#sizeMs = sizeMs
  }

  /** @param sizeMs of the windows that it counts by */
  static async open(bootstrap: string, topic: string, sizeMs: number): Promise<Business> {
    const kafka = new Kafka({
      clientId: 'business',
      brokers: bootstrap.split(','),
      logLevel: logLevel.NOTHING,
    })
    const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner })
    await producer.connect()
    return new Business(producer, topic, sizeMs)
  }

  /** These products, and no others, have users from now on. */
  run(...products: readonly string[]): void {
    this.#running.clear()
    for (const product of products) this.#running.add(product)
    this.#timer ??= setInterval(() => this.#tick(), tickMs)
  }

  /** Nobody comes from now on; resolves with the time of the last event, when all are in the topic. */
  async pause(): Promise<number> {
    clearInterval(this.#timer)
    this.#timer = undefined
    await this.#sending
    return Date.now()
  }

  async close(): Promise<void> {
    await this.pause()
    await this.#producer.disconnect()
  }

  /** Users by product in the window; empty: nobody came at all. */
  users(windowStart: number): ReadonlyMap<string, number> {
    return this.#windows.get(windowStart) ?? new Map()
  }

  #tick(): void {
    const now = Date.now()
    const messages: Message[] = []
    for (const product of this.#running) {
      const n = this.#events++
      const value = JSON.stringify({ t: now, user: `u${n}`, product })
      const one = { partition: n % 2, timestamp: String(now), value }
      messages.push(one)
      if (n % twiceEvery === 0) messages.push(one)
      const start = now - (now % this.#sizeMs)
      const users = this.#windows.get(start) ?? new Map<string, number>()
      this.#windows.set(start, users.set(product, (users.get(product) ?? 0) + 1))
    }
    const batch = { topic: this.#topic, acks: -1, messages }
    this.#sending = Promise.all([this.#sending, this.#producer.send(batch)])
  }
}
