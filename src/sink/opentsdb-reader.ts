import axios, { type AxiosInstance } from 'axios'
import { pointKey } from './data-point.ts'
import type { DataPoint } from './sink.ts'
import type { PointReader } from './verified-sink.ts'

export interface OpentsdbReaderOptions {
  /** Base URL of the TSD, without a slash at its end. */
  readonly url: string
  /** Longest wait for one answer, ms. */
  readonly timeoutMs: number
  readonly headers: Readonly<Record<string, string>>
}

/** Series asked for in one request. */
const maxQueries = 50

interface Series {
  readonly metric: string
  readonly tags: Readonly<Record<string, string>>
  readonly dps: Readonly<Record<string, number>>
}

/** Single points of OpenTSDB by their exact series and time. */
export class OpentsdbReader implements PointReader {
  readonly #http: AxiosInstance
  readonly #url: string

  constructor(options: OpentsdbReaderOptions) {
    this.#url = `${options.url}/api/query`
    this.#http = axios.create({
      proxy: false,
      maxRedirects: 0,
      timeout: options.timeoutMs,
      headers: { ...options.headers },
      validateStatus: () => true,
    })
  }

  async read(
    points: readonly DataPoint[],
    signal: AbortSignal,
  ): Promise<readonly (number | undefined)[]> {
    const byTime = new Map<number, DataPoint[]>()
    for (const point of points) {
      const group = byTime.get(point.timestamp)
      if (group === undefined) byTime.set(point.timestamp, [point])
      else group.push(point)
    }
    const found = new Map<string, number>()
    for (const group of byTime.values()) {
      for (let i = 0; i < group.length; i += maxQueries) {
        await this.#query(group.slice(i, i + maxQueries), found, signal)
      }
    }
    return points.map((point) => found.get(pointKey(point)))
  }

  /** Points of one timestamp. A name that the store does not know fails the whole request: then each series is asked for alone. */
  async #query(
    points: readonly DataPoint[],
    found: Map<string, number>,
    signal: AbortSignal,
  ): Promise<void> {
    const timestamp = points[0]?.timestamp ?? 0
    const { status, data } = await this.#http.post<unknown>(
      this.#url,
      {
        start: timestamp - 1,
        end: timestamp + 1,
        queries: points.map(({ metric, tags }) => ({
          aggregator: 'none',
          metric,
          tags,
          explicitTags: true,
        })),
      },
      { signal },
    )
    if (status === 200 && Array.isArray(data)) {
      for (const { metric, tags, dps } of data as Series[]) {
        const value = dps[timestamp]
        const one = { metric, tags, timestamp, value: 0, incarnation: 0, revision: 0 }
        if (value !== undefined) found.set(pointKey(one), Number(value))
      }
      return
    }
    if (status === 400 && points.length > 1) {
      for (const point of points) await this.#query([point], found, signal)
      return
    }
    const text = JSON.stringify(data) ?? ''
    if (status !== 400 || !/No such name|No such unique/i.test(text)) {
      throw new Error(`HTTP ${status} to a query: ${text.slice(0, 200)}`)
    }
  }
}
