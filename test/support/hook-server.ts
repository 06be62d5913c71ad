import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A notification as a webhook gets it. */
export interface HeardNotification {
  readonly id: string
  readonly kind: string
  readonly title: string
  readonly total: number
  readonly group: { readonly rule?: string; readonly cause?: string }
  readonly alerts: readonly {
    readonly rule: string
    readonly cause: string
    readonly reason: string
    readonly tags: Readonly<Record<string, string>>
    readonly windowStart: number
    readonly windowEnd: number
    readonly verdict?: { readonly value: string; readonly delivery: string }
  }[]
}

/** One request of a webhook. */
export interface HeardMessage {
  readonly id: string
  readonly mayBeRepeat: boolean
  readonly notifications: readonly HeardNotification[]
  /** Epoch ms at which it was read in full. */
  readonly at: number
}

/** A webhook on a free loopback port that remembers what it was told, in order. */
export class HookServer {
  readonly messages: HeardMessage[] = []
  /** What becomes of a message that was taken; answers 200 unless it says otherwise. */
  answer: (message: HeardMessage, response: ServerResponse) => void = (_, response) => {
    response.end('{}')
  }
  readonly #server: Server

  private constructor() {
    this.#server = createServer(async (request, response) => {
      let body = ''
      for await (const part of request) body += String(part)
      const message: HeardMessage = { ...JSON.parse(body), at: Date.now() }
      this.messages.push(message)
      this.answer(message, response)
    })
  }

  static async start(): Promise<HookServer> {
    const hook = new HookServer()
    await hook.listen(0)
    return hook
  }

  /** After `stop`, at the port that it had. */
  async listen(port: number): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(port, '127.0.0.1', resolve))
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/`
  }

  /** All that was told, in order; what came twice is there twice. */
  get heard(): readonly HeardNotification[] {
    return this.messages.flatMap(({ notifications }) => notifications)
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}
