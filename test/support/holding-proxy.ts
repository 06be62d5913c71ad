import { once } from 'node:events'
import {
  createServer,
  type IncomingMessage,
  request,
  type Server,
  type ServerResponse,
} from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'

/** Where a request is kept: before the server saw it, or after it was done with it. */
export type Hold = 'none' | 'request' | 'answer'

/** A request that is kept back. What it waits for is that its sender goes away, or `release`. */
export interface Held {
  readonly hold: Hold
  readonly path: string
}

export interface HoldingProxyOptions {
  /** A request that is kept goes on when it is released, also when its sender has gone meanwhile; default: it is dropped. */
  readonly forwardsOfGone?: boolean
}

/** Stands between Warden and a TSD, and keeps puts back on demand. */
export class HoldingProxy {
  /** What happens to the next put. */
  hold: Hold = 'none'
  /** Puts that arrived in full. */
  arrived = 0
  /** Puts that have arrived and have no answer yet. */
  inFlight = 0
  readonly url: string
  readonly #target: string
  readonly #options: HoldingProxyOptions
  readonly #server: Server
  readonly #listeners = new Set<(held: Held) => void>()
  #releases: (() => void)[] = []

  private constructor(target: string, server: Server, port: number, options: HoldingProxyOptions) {
    this.#target = target
    this.#options = options
    this.#server = server
    this.url = `http://127.0.0.1:${port}`
    server.on('request', (incoming, answer) => {
      this.#pass(incoming, answer).catch(() => answer.destroy())
    })
  }

  static async start(target: string, options: HoldingProxyOptions = {}): Promise<HoldingProxy> {
    const server = createServer()
    // As a TSD, which closes no idle connection: a put on its way at that moment would have no known outcome.
    server.keepAliveTimeout = 0
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return new HoldingProxy(target, server, (server.address() as AddressInfo).port, options)
  }

  /** Calls back for each put that is kept from now on; the returned function ends that. */
  onHeld(listener: (held: Held) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Lets everything go that is kept. */
  release(): void {
    this.hold = 'none'
    for (const release of this.#releases.splice(0)) release()
  }

  async close(): Promise<void> {
    this.release()
    this.#server.closeAllConnections()
    this.#server.close()
    await once(this.#server, 'close')
  }

  async #pass(incoming: IncomingMessage, answer: ServerResponse): Promise<void> {
    const body = await buffer(incoming)
    const isPut = incoming.url?.startsWith('/api/put') === true
    if (!isPut) {
      await this.#forward(incoming, body, answer, 'none')
      return
    }
    this.arrived++
    this.inFlight++
    answer.once('close', () => {
      this.inFlight--
    })
    const hold = this.hold
    if (hold === 'request' && !(await this.#keep(hold, incoming, answer))) return
    await this.#forward(incoming, body, answer, hold)
  }

  async #forward(
    incoming: IncomingMessage,
    body: Buffer,
    answer: ServerResponse,
    hold: Hold,
  ): Promise<void> {
    const { host: _, 'transfer-encoding': __, ...headers } = incoming.headers
    const outgoing = request(`${this.#target}${incoming.url}`, {
      method: incoming.method,
      headers: { ...headers, 'content-length': body.length },
    })
    outgoing.end(body)
    const [response] = (await once(outgoing, 'response')) as [IncomingMessage]
    const text = await buffer(response)
    if (hold === 'answer' && !(await this.#keep(hold, incoming, answer))) return
    const { 'transfer-encoding': ___, ...answered } = response.headers
    answer.writeHead(response.statusCode ?? 502, { ...answered, 'content-length': text.length })
    answer.end(text)
  }

  /** Waits; false when the request is to be dropped. */
  async #keep(hold: Hold, incoming: IncomingMessage, answer: ServerResponse): Promise<boolean> {
    if (answer.destroyed) return false
    const kept = new Promise<boolean>((resolve) => {
      this.#releases.push(() => resolve(true))
      if (this.#options.forwardsOfGone !== true) answer.once('close', () => resolve(false))
    })
    for (const listener of [...this.#listeners]) listener({ hold, path: incoming.url ?? '' })
    return await kept
  }
}
