import { isIP } from 'node:net'
import { type API, Connection } from '@platformatic/kafka'
import { WardenError } from '../core/errors.ts'
import { classifyKafkaError } from './kafka-errors.ts'
import { KafkaFetchConnection } from './kafka-fetch-connection.ts'
import type { KafkaSasl } from './kafka-sasl.ts'

export interface KafkaConnectOptions {
  /** `host:port` of some brokers; the others are learnt from them. */
  readonly brokers: readonly string[]
  /** undefined: plain text. */
  readonly tls?: KafkaTls | undefined
  readonly sasl?: KafkaSasl | undefined
  /** Name in the brokers' logs and quotas; `warden` by default. */
  readonly clientId?: string | undefined
  /** Bound of connecting, TLS and SASL included. 5 s by default. */
  readonly connectTimeoutMs?: number | undefined
  /** Bound of one answer; 10 s by default. */
  readonly requestTimeoutMs?: number | undefined
  /** The same for answers that wait for records; 60 s by default. */
  readonly fetchTimeoutMs?: number | undefined
}

/** PEM texts. */
export interface KafkaTls {
  /** Authorities to trust instead of the system's. */
  readonly ca?: string | undefined
  readonly cert?: string | undefined
  readonly key?: string | undefined
  /** Name that the brokers' certificates must carry; their host unless given. */
  readonly servername?: string | undefined
  readonly passphrase?: string | undefined
  /** False takes any certificate: for tests only. */
  readonly rejectUnauthorized?: boolean | undefined
}

export interface BrokerAddress {
  readonly host: string
  readonly port: number
}

/** A broker answers the requests of a connection in turn: what waits for records must not hold up anything else. */
export type Purpose = 'control' | 'fetch'

/** One connection per broker and purpose, made when needed, forgotten when it breaks. */
export class KafkaConnections {
  readonly #options: KafkaConnectOptions
  readonly #bootstrap: readonly BrokerAddress[]
  readonly #nodes = new Map<number, BrokerAddress>()
  readonly #open = new Map<string, Promise<Connection>>()
  readonly #sockets = new Set<Connection>()
  #closed = false

  constructor(options: KafkaConnectOptions) {
    this.#options = options
    this.#bootstrap = options.brokers.map(parseAddress)
  }

  /** Takes the brokers that metadata named in place of those known before. */
  learn(nodes: ReadonlyMap<number, BrokerAddress>): void {
    this.#nodes.clear()
    for (const [id, address] of nodes) this.#nodes.set(id, address)
  }

  /** A connection to any broker that answers: the known ones first, then those of the config. */
  async any(): Promise<Connection> {
    const candidates = new Map<string, BrokerAddress>()
    for (const address of [...shuffled([...this.#nodes.values()]), ...this.#bootstrap]) {
      candidates.set(`${address.host}:${address.port}`, address)
    }
    let last: unknown
    for (const address of candidates.values()) {
      try {
        return await this.#get(address, 'control')
      } catch (error) {
        if (error instanceof WardenError && error.recovery === 'stop') throw error
        last = error
      }
    }
    if (candidates.size === 1) throw last
    const tried = [...candidates.keys()].join(', ')
    throw new WardenError('source_unreachable', `no Kafka broker answers (tried ${tried})`, {
      cause: last,
    })
  }

  async node(id: number, purpose: Purpose): Promise<Connection> {
    const address = this.#nodes.get(id)
    if (address === undefined) {
      throw new WardenError('source_unreachable', `the cluster names no broker ${id}`)
    }
    return this.#get(address, purpose)
  }

  /** `host:port` of a broker, for people. */
  nameOf(id: number): string {
    const address = this.#nodes.get(id)
    return address === undefined ? `broker ${id}` : `${address.host}:${address.port}`
  }

  async call<A extends unknown[], R>(
    connection: Connection,
    api: API<A, R>,
    ...args: A
  ): Promise<R> {
    if (!connection.isConnected()) {
      throw new WardenError('source_unreachable', `Kafka broker ${nameOf(connection)}: closed`)
    }
    try {
      return await api.async(connection, ...args)
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? error.code : undefined
      // An answer with errors in it leaves the connection in order; after anything else its stream of answers is in doubt.
      if (code !== 'PLT_KFK_RESPONSE') destroy(connection)
      throw error
    }
  }

  drop(id: number, purpose: Purpose): void {
    const address = this.#nodes.get(id)
    if (address === undefined) return
    const open = this.#open.get(keyOf(address, purpose))
    open?.then(destroy, () => {})
  }

  close(): void {
    this.#closed = true
    for (const connection of this.#sockets) destroy(connection)
  }

  #get(address: BrokerAddress, purpose: Purpose): Promise<Connection> {
    const key = keyOf(address, purpose)
    const known = this.#open.get(key)
    if (known !== undefined) return known
    const forget = (): void => {
      if (this.#open.get(key) === opening) this.#open.delete(key)
    }
    const opening = this.#connect(address, purpose, forget)
    this.#open.set(key, opening)
    opening.catch(forget)
    return opening
  }

  async #connect(
    address: BrokerAddress,
    purpose: Purpose,
    forget: () => void,
  ): Promise<Connection> {
    if (this.#closed) throw new WardenError('source_unreachable', 'the Kafka source is closed')
    const { tls, sasl, requestTimeoutMs = 10_000, fetchTimeoutMs = 60_000 } = this.#options
    const { clientId = 'warden', connectTimeoutMs = 5_000 } = this.#options
    const secure = tls && tlsOptions(tls, address.host)
    const connection =
      purpose === 'fetch'
        ? new KafkaFetchConnection({
            clientId,
            connectTimeoutMs,
            requestTimeoutMs: fetchTimeoutMs,
            tls: secure && { ...secure.tls, ...nameIn(secure.tlsServerName) },
            sasl,
          }).asConnection
        : new Connection(clientId, {
            connectTimeout: connectTimeoutMs,
            requestTimeout: requestTimeoutMs,
            ...secure,
            ...(sasl === undefined ? {} : { sasl }),
          })
    this.#sockets.add(connection)
    connection.on('error', () => destroy(connection))
    connection.on('close', () => {
      this.#sockets.delete(connection)
      forget()
    })
    try {
      await connection.connect(address.host, address.port)
      return connection
    } catch (error) {
      this.#sockets.delete(connection)
      destroy(connection)
      throw classifyKafkaError(error, `${address.host}:${address.port}`, sasl)
    }
  }
}

function tlsOptions({ servername, ...pem }: KafkaTls, host: string) {
  // An IP address is no name to ask a server for.
  const name = servername ?? (isIP(host) === 0 ? host : undefined)
  return { tls: definedOnly(pem), ...(name === undefined ? {} : { tlsServerName: name }) }
}

/** Node asks for no name where the key is missing. */
const nameIn = (servername: string | undefined) => (servername === undefined ? {} : { servername })

/** Closes at once: requests under way reject, no timer and no socket stays. */
function destroy(connection: Connection): void {
  connection.close(() => {})
  connection.socket?.destroy()
}

export function nameOf(connection: Connection): string {
  return `${connection.host}:${connection.port}`
}

function keyOf(address: BrokerAddress, purpose: Purpose): string {
  return `${purpose} ${address.host}:${address.port}`
}

function parseAddress(text: string): BrokerAddress {
  const parts = /^\[?([^\]]+?)\]?:(\d+)$/.exec(text)
  const port = Number(parts?.[2])
  if (parts?.[1] === undefined || !(port > 0 && port < 65_536)) {
    throw new WardenError('config_invalid', `Kafka broker "${text}": expected host:port`)
  }
  return { host: parts[1], port }
}

export function definedOnly<T extends object>(
  value: T,
): { [K in keyof T]: Exclude<T[K], undefined> } {
  const entries = Object.entries(value).filter(([, one]) => one !== undefined)
  return Object.fromEntries(entries) as { [K in keyof T]: Exclude<T[K], undefined> }
}

function shuffled<T>(values: T[]): T[] {
  for (let i = values.length - 1; i > 0; i--) {
    const j = Math.floor(Math.random() * (i + 1))
    const [a, b] = [values[i], values[j]]
    if (a !== undefined && b !== undefined) [values[i], values[j]] = [b, a]
  }
  return values
}
