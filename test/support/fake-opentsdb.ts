import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { gunzipSync } from 'node:zlib'

export interface PutPoint {
  readonly metric: string
  readonly timestamp: number
  readonly value: string
  readonly tags: Readonly<Record<string, string>>
}

export interface PutRequest {
  readonly points: readonly PutPoint[]
  readonly query: URLSearchParams
  readonly headers: IncomingMessage['headers']
  readonly bytes: number
}

interface QueryBody {
  readonly start: number
  readonly end: number
  readonly queries: readonly Pick<PutPoint, 'metric' | 'tags'>[]
}

/** Why a point is not stored; undefined when it is. */
export type PointFault = (point: PutPoint) => string | undefined

export type StorePoints = (afterMs?: number, only?: (point: PutPoint) => boolean) => void

/** What the server does with one request. */
export type PutAnswer =
  /** Stores, except what `fault` says, and answers with details. */
  | { readonly kind: 'put'; readonly fault?: PointFault }
  /** Stores, except what `fault` says, and answers only with the status. */
  | { readonly kind: 'stored-204' }
  /** Stores nothing and answers this. */
  | {
      readonly kind: 'answer'
      readonly status: number
      readonly body: string
      readonly headers?: Readonly<Record<string, string>>
    }
  /** Stores, and never answers. */
  | { readonly kind: 'hang' }
  /** Reads the request and closes the connection. */
  | { readonly kind: 'reset' }
  /** Closes the connection as soon as the headers are there. */
  | { readonly kind: 'refuse-body' }
  /** Does what `run` does: `store` stores those points that satisfy `only`, at once or after a time. */
  | {
      readonly kind: 'custom'
      run(response: ServerResponse, store: StorePoints, points: readonly PutPoint[]): void
    }
  /** Stores, and sends the body of the answer byte by byte, for ever. */
  | { readonly kind: 'slow-body' }

/**
 * A server on a free loopback port that answers `/api/put?sync&details` as OpenTSDB 2.4.1 was seen to, and misbehaves when told.
 * It overwrites blindly, as OpenTSDB does with values of one encoding.
 */
export class FakeOpentsdb {
  /** `metric{k=v,…}@timestamp` → value as it was sent. */
  readonly stored = new Map<string, PutPoint>()
  readonly requests: PutRequest[] = []
  /** What the next requests meet; puts work when it returns undefined. */
  behave: (request: PutRequest) => PutAnswer | undefined = () => undefined
  /** Bodies beyond it are cut off without an answer. */
  maxBodyBytes = Number.POSITIVE_INFINITY
  connections = 0
  /** Requests to `/api/query` so far. */
  queries = 0
  readonly #server: Server
  #port = 0
  #pendingStores = 0
  readonly #sockets = new Set<Socket>()
  readonly #timers = new Set<NodeJS.Timeout>()

  constructor() {
    this.#server = createServer((request, response) => {
      void this.#handle(request, response)
    })
    this.#server.on('connection', (socket) => {
      this.connections++
      this.#sockets.add(socket)
      socket.once('close', () => this.#sockets.delete(socket))
    })
  }

  /** @param port any free one unless given; a reserved one for a server that goes away and comes back */
  async start(port = 0): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(port, '127.0.0.1', resolve))
    this.#port = (this.#server.address() as AddressInfo).port
  }

  get openConnections(): number {
    return this.#sockets.size
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`
  }

  /** Nobody listens, and open connections are cut; `comeBack` ends that. */
  async goAway(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve())
      for (const socket of this.#sockets) socket.destroy()
    })
  }

  async comeBack(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(this.#port, '127.0.0.1', resolve))
  }

  /** Writes that are stored later and have not been. */
  get pendingStores(): number {
    return this.#pendingStores
  }

  async stop(): Promise<void> {
    for (const timer of this.#timers) clearTimeout(timer)
    for (const socket of this.#sockets) socket.destroy()
    await new Promise<void>((resolve) => this.#server.close(() => resolve()))
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const length = Number(request.headers['content-length'] ?? 0)
    if (length > this.maxBodyBytes) {
      request.socket.resetAndDestroy()
      return
    }
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const raw = Buffer.concat(chunks)
    if (request.url?.startsWith('/api/query')) {
      this.queries++
      this.#query(JSON.parse(Buffer.concat(chunks).toString('utf8')) as QueryBody, response)
      return
    }
    const text = request.headers['content-encoding'] === 'gzip' ? gunzipSync(raw) : raw
    const points = JSON.parse(text.toString('utf8')) as PutPoint[]
    const query = new URL(request.url ?? '', this.url).searchParams
    const put: PutRequest = { points, query, headers: request.headers, bytes: raw.length }
    this.requests.push(put)
    this.#answer(put, this.behave(put) ?? { kind: 'put' }, response)
  }

  #answer(put: PutRequest, answer: PutAnswer, response: ServerResponse): void {
    switch (answer.kind) {
      case 'put':
        this.#details(put, answer.fault ?? legality, response)
        break
      case 'stored-204':
        this.#store(put.points, legality)
        response.writeHead(204).end()
        break
      case 'answer':
        response.writeHead(answer.status, { ...answer.headers }).end(answer.body)
        break
      case 'hang':
        this.#store(put.points, legality)
        break
      case 'reset':
      case 'refuse-body':
        response.socket?.resetAndDestroy()
        break
      case 'custom':
        answer.run(response, this.#storeLater(put.points), put.points)
        break
      case 'slow-body': {
        this.#store(put.points, legality)
        response.writeHead(200)
        const timer = setInterval(() => response.write(' '), 20)
        this.#timers.add(timer)
        response.once('close', () => clearInterval(timer))
        break
      }
    }
  }

  /** Queries of exact series, as OpenTSDB answers them: an unknown metric or tag value fails all of them. */
  #query(body: QueryBody, response: ServerResponse): void {
    const series: unknown[] = []
    for (const { metric, tags } of body.queries) {
      const all = [...this.stored.values()].filter((point) => point.metric === metric)
      if (all.length === 0) {
        const message = `No such name for 'metrics': '${metric}'`
        response.writeHead(400).end(JSON.stringify({ error: { code: 400, message } }))
        return
      }
      const own = storedKey({ metric, tags, timestamp: 0 }).replace(/0$/, '')
      const found = all.filter(
        (point) =>
          storedKey(point) === `${own}${point.timestamp}` &&
          point.timestamp >= body.start &&
          point.timestamp <= body.end,
      )
      if (found.length === 0) continue
      const dps = Object.fromEntries(found.map((point) => [point.timestamp, Number(point.value)]))
      series.push({ metric, tags, aggregateTags: [], dps })
    }
    response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(series))
  }

  #storeLater(points: readonly PutPoint[]): StorePoints {
    return (afterMs = 0, only = () => true) => {
      const chosen = points.filter(only)
      if (afterMs === 0) {
        this.#store(chosen, legality)
        return
      }
      const timer = setTimeout(() => {
        this.#timers.delete(timer)
        this.#pendingStores--
        this.#store(chosen, legality)
      }, afterMs)
      this.#pendingStores++
      this.#timers.add(timer)
    }
  }

  #details(put: PutRequest, fault: PointFault, response: ServerResponse): void {
    const errors = this.#store(put.points, fault)
    const own = errors.some(({ error }) => !storageTrouble.test(error))
    const timeouts = errors.filter(({ error }) => error === 'Write timedout').length
    const body = {
      success: put.points.length - errors.length,
      failed: errors.length - timeouts,
      timeouts,
      errors,
    }
    // Storage trouble alone is answered with 200; a fault of a point, or a timeout, with 400.
    response.writeHead(own || timeouts > 0 ? 400 : 200).end(JSON.stringify(body))
  }

  #store(points: readonly PutPoint[], fault: PointFault): { datapoint: PutPoint; error: string }[] {
    const errors: { datapoint: PutPoint; error: string }[] = []
    for (const point of points) {
      const error = fault(point) ?? legality(point)
      if (error === undefined) this.stored.set(storedKey(point), point)
      else errors.push({ datapoint: point, error })
    }
    return errors
  }
}

const storageTrouble = /Storage exception|Write timedout|Please throttle/

export function storedKey(point: Pick<PutPoint, 'metric' | 'tags' | 'timestamp'>): string {
  const tags = Object.entries(point.tags).map(([name, value]) => `${name}=${value}`)
  return `${point.metric}{${tags.sort().join(',')}}@${point.timestamp}`
}

function legality(point: PutPoint): string | undefined {
  const names = [point.metric, ...Object.entries(point.tags).flat()]
  const illegal = names.find((name) => !/^[A-Za-z0-9._/-]+$/.test(name))
  if (illegal !== undefined) return `Invalid name ("${illegal}"): illegal character`
  if (Object.keys(point.tags).length > 8) return 'Too many tags: 9 maximum allowed: 8'
  if (!/^-?\d+\.\d+(E-?\d+)?$/.test(point.value)) return 'Unable to parse value to a number'
  if (!(point.timestamp > 0)) return 'Invalid timestamp'
  return undefined
}
