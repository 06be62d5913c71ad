import { readFileSync } from 'node:fs'
import { Agent } from 'node:https'
import axios, { type AxiosInstance } from 'axios'
import { fullJitter } from '../core/backoff.ts'
import { asWardenError, WardenError } from '../core/errors.ts'
import type { Telemetry } from '../core/telemetry.ts'
import { durationMs } from '../core/time.ts'
import type { Holding, Lease } from './lease.ts'
import { LeaseTerm } from './lease-term.ts'

export interface KubernetesLeaseOptions {
  /** Of the Lease object; it is made where it is missing. */
  readonly name: string
  /** undefined: that of the pod. */
  readonly namespace?: string
  /** Who asks: unique to the process. */
  readonly holder: string
  /** How long a holder that is gone keeps the lease; at least 1 s, kept in whole seconds. */
  readonly durationMs: number
  /** Of the API server; undefined: as the pod is told it. */
  readonly url?: string
  /** Holds `token`, `ca.crt` and `namespace`; the pod's service account by default. The token is read anew each time, as it is rotated. */
  readonly account?: string
}

/** The part of a Lease object (coordination.k8s.io/v1) that is used here. */
interface LeaseObject {
  readonly metadata: { readonly resourceVersion?: string }
  readonly spec?: {
    readonly holderIdentity?: string | null
    readonly leaseDurationSeconds?: number
    readonly leaseTransitions?: number
    readonly acquireTime?: string
    readonly renewTime?: string
  }
}

const serviceAccount = '/var/run/secrets/kubernetes.io/serviceaccount'
const retry = { initialMs: durationMs(200), maxMs: durationMs(5_000) }

/**
 * A lease that is a Lease object of Kubernetes: its holder renews it, and whoever saw no renewal for its duration, by the
 * own clock, takes it over. Every write names the version that it replaces, so that of two only one succeeds.
 * The token counts the holders (leaseTransitions). Source of the rule: leaderelection.go of client-go.
 */
export class KubernetesLease implements Lease {
  readonly #options: KubernetesLeaseOptions
  readonly #telemetry: Telemetry
  readonly #random: () => number
  readonly #durationMs: number
  #api: AxiosInstance | undefined

  #holder: string | undefined
  #term: LeaseTerm | undefined
  #object: LeaseObject | undefined
  #renewing: Promise<void> = Promise.resolve()
  /** When the version that is there now was seen first, by the own clock. */
  #seen: { readonly version: string | undefined; readonly at: number } | undefined

  constructor(options: KubernetesLeaseOptions, telemetry: Telemetry, random: () => number) {
    this.#options = options
    this.#telemetry = telemetry
    this.#random = random
    this.#durationMs = Math.max(1, Math.ceil(options.durationMs / 1000)) * 1000
  }

  holder(): string | undefined {
    return this.#holder
  }

  async acquire(signal: AbortSignal): Promise<Holding> {
    this.#term?.end('asked for anew')
    await this.#renewing
    const { clock, logger } = this.#telemetry
    for (let attempt = 0; ; ) {
      signal.throwIfAborted()
      try {
        const term = await this.#ask()
        attempt = 0
        if (term !== undefined) {
          this.#term = term
          this.#renewing = this.#keep(term)
          return term
        }
        await clock.sleep(Math.min(2_000, this.#durationMs / 5), signal)
      } catch (cause) {
        signal.throwIfAborted()
        const error = asWardenError(cause)
        if (error.recovery === 'stop') throw error
        const waitMs = fullJitter(retry, attempt++, this.#random())
        logger.warn(
          { err: error, waitMs },
          'Kubernetes can not be asked for the lease; trying again',
        )
        await clock.sleep(waitMs, signal)
      }
    }
  }

  async close(): Promise<void> {
    const held = this.#term?.held() === true
    this.#term?.end('given back')
    await this.#renewing
    if (held && this.#object !== undefined) {
      // The next holder need not wait; when this fails, it waits.
      await this.#write(this.#object, { ...this.#object.spec, holderIdentity: '' }).catch(() => {})
    }
    this.#holder = undefined
  }

  /** One look: the term when it is ours now, undefined when another holds it. */
  async #ask(): Promise<LeaseTerm | undefined> {
    const { holder } = this.#options
    const found = await this.#read()
    const now = performance.now()
    const spec = found?.spec
    const other = spec?.holderIdentity
    if (found !== undefined && other && other !== holder) {
      const version = found.metadata.resourceVersion
      if (this.#seen?.version !== version) this.#seen = { version, at: now }
      const termMs = Math.max(this.#durationMs, (spec?.leaseDurationSeconds ?? 0) * 1000)
      if (this.#holder !== other) {
        this.#holder = other
        this.#telemetry.logger.info({ holder: other }, 'another process holds the lease; waiting')
      }
      if (now - (this.#seen?.at ?? now) < termMs) return undefined
    }
    const sentAt = performance.now()
    const transitions = (spec?.leaseTransitions ?? 0) + 1
    const time = this.#time()
    const written = await this.#write(found, {
      holderIdentity: holder,
      leaseDurationSeconds: this.#durationMs / 1000,
      leaseTransitions: transitions,
      acquireTime: time,
      renewTime: time,
    })
    if (written === undefined) return undefined
    this.#object = written
    this.#holder = holder
    return new LeaseTerm(BigInt(transitions), this.#durationMs, sentAt, () => performance.now())
  }

  /** Renews the lease until it is over. */
  async #keep(term: LeaseTerm): Promise<void> {
    const { clock, logger } = this.#telemetry
    let waitMs = this.#durationMs / 6
    while (term.held()) {
      await clock.sleep(waitMs, term.lost).catch(() => {})
      waitMs = this.#durationMs / 6
      if (!term.held()) return
      const sentAt = performance.now()
      try {
        const renewed = await this.#write(this.#object, {
          ...this.#object?.spec,
          renewTime: this.#time(),
        })
        if (renewed === undefined) {
          const now = await this.#read()
          // A write whose answer was lost counts all the same.
          if (now?.spec?.holderIdentity !== this.#options.holder) {
            term.end(`${now?.spec?.holderIdentity || 'nobody'} holds the lease now`)
            return
          }
          this.#object = now
          waitMs = 0
          continue
        }
        this.#object = renewed
        term.renewed(sentAt)
      } catch (cause) {
        waitMs = this.#durationMs / 30
        const leftMs = Math.round(term.leftMs)
        logger.warn(
          { err: asWardenError(cause), leftMs },
          'the lease could not be renewed; trying again',
        )
      }
    }
  }

  #time(): string {
    // Kubernetes' MicroTime.
    return new Date(this.#telemetry.clock.now()).toISOString().replace('Z', '000Z')
  }

  async #read(): Promise<LeaseObject | undefined> {
    const { status, data } = await this.#request(
      'get',
      `${this.#collection()}/${this.#options.name}`,
    )
    if (status === 404) return undefined
    if (status !== 200) throw refused(status, data)
    return data as LeaseObject
  }

  /** Replaces `before`, or makes the object; undefined when somebody else was first. */
  async #write(
    before: LeaseObject | undefined,
    spec: LeaseObject['spec'],
  ): Promise<LeaseObject | undefined> {
    const { name } = this.#options
    const version = before?.metadata.resourceVersion
    const metadata = version === undefined ? { name } : { name, resourceVersion: version }
    const body = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata, spec }
    const { status, data } =
      before === undefined
        ? await this.#request('post', this.#collection(), body)
        : await this.#request('put', `${this.#collection()}/${name}`, body)
    if (status === 409) return undefined
    if (status !== 200 && status !== 201) throw refused(status, data)
    return data as LeaseObject
  }

  #collection(): string {
    const account = this.#options.account ?? serviceAccount
    const namespace = this.#options.namespace ?? readFileSync(`${account}/namespace`, 'utf8').trim()
    return `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases`
  }

  async #request(
    method: 'get' | 'post' | 'put',
    path: string,
    body?: unknown,
  ): Promise<{ readonly status: number; readonly data: unknown }> {
    const account = this.#options.account ?? serviceAccount
    try {
      this.#api ??= axios.create({
        baseURL: this.#options.url ?? apiOfPod(),
        timeout: Math.max(1000, this.#durationMs / 3),
        validateStatus: () => true,
        proxy: false,
        maxRedirects: 0,
        ...(this.#options.url?.startsWith('http:')
          ? {}
          : { httpsAgent: new Agent({ ca: readFileSync(`${account}/ca.crt`), keepAlive: true }) }),
      })
      const token = readFileSync(`${account}/token`, 'utf8').trim()
      const headers = { authorization: `Bearer ${token}` }
      const { status, data } = await this.#api.request({ method, url: path, data: body, headers })
      return { status, data }
    } catch (cause) {
      if (cause instanceof WardenError) throw cause
      if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') {
        throw new WardenError(
          'lease_refused',
          `the service account can't be read: ${cause.message}; Warden finds it at ${serviceAccount} in a pod`,
          { cause },
        )
      }
      const message = cause instanceof Error ? cause.message : String(cause)
      throw new WardenError('lease_unreachable', `Kubernetes: ${message}`, { cause })
    }
  }
}

function apiOfPod(): string {
  const host = process.env.KUBERNETES_SERVICE_HOST
  const port = process.env.KUBERNETES_SERVICE_PORT ?? '443'
  if (host === undefined) {
    throw new WardenError('lease_refused', 'a Kubernetes lease outside of Kubernetes needs its url')
  }
  return `https://${host.includes(':') ? `[${host}]` : host}:${port}`
}

function refused(status: number, data: unknown): WardenError {
  const message =
    typeof data === 'object' && data !== null && 'message' in data ? String(data.message) : ''
  const text = `Kubernetes answered ${status} ${message}`.trimEnd()
  if (status === 401 || status === 403 || status === 404) {
    return new WardenError(
      'lease_refused',
      `${text}; the pod's service account needs get, create and update on leases of coordination.k8s.io`,
    )
  }
  return new WardenError('lease_unreachable', text)
}
