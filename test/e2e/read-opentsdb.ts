/**
 * Reads back every point of the metrics with a prefix, for a comparison:
 *   node --import tsx test/e2e/read-opentsdb.ts --url http://127.0.0.1:4242 --prefix warden. [--start SECONDS] [--end SECONDS]
 * Prints a line `metric{tag=value,…}@seconds value` per point, sorted.
 */
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'

export interface PointRange {
  /** Epoch seconds, both included; from 1 to now by default. */
  readonly start?: number
  readonly end?: number
}

/** Key of a point: tags in the order of their names. */
export function pointKey(
  metric: string,
  tags: Readonly<Record<string, string>>,
  seconds: number,
): string {
  const names = Object.keys(tags).sort()
  return `${metric}{${names.map((name) => `${name}=${tags[name]}`).join(',')}}@${seconds}`
}

/** `pointKey` → value of everything under the prefix. Rejects when the store does not answer as it should. */
export async function readOpentsdb(
  url: string,
  prefix: string,
  range: PointRange = {},
): Promise<Map<string, number>> {
  const points = new Map<string, number>()
  const suggest = new URLSearchParams({ type: 'metrics', q: prefix, max: '100000' })
  const metrics = await answer(await fetch(`${url}/api/suggest?${suggest}`))
  for (const metric of metrics as string[]) {
    const response = await fetch(`${url}/api/query`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        start: range.start ?? 1,
        ...(range.end === undefined ? {} : { end: range.end }),
        queries: [{ metric, aggregator: 'none' }],
      }),
    })
    const series = (await answer(response)) as {
      metric: string
      tags: Record<string, string>
      dps: Record<string, number>
    }[]
    for (const one of series) {
      for (const [seconds, value] of Object.entries(one.dps)) {
        const key = pointKey(one.metric, one.tags, Number(seconds))
        if (points.has(key)) throw new Error(`the store answered ${key} twice`)
        points.set(key, value)
      }
    }
  }
  return points
}

/** The body; rejects for anything but a 200 with an array. */
async function answer(response: Response): Promise<unknown[]> {
  const text = await response.text()
  const body: unknown = response.ok ? JSON.parse(text) : undefined
  if (!Array.isArray(body)) {
    throw new Error(`${response.url} answered ${response.status}: ${text.slice(0, 500)}`)
  }
  return body
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      url: { type: 'string', default: 'http://127.0.0.1:4242' },
      prefix: { type: 'string', default: 'warden.' },
      start: { type: 'string' },
      end: { type: 'string' },
    },
  })
  const points = await readOpentsdb(values.url, values.prefix, {
    ...(values.start === undefined ? {} : { start: Number(values.start) }),
    ...(values.end === undefined ? {} : { end: Number(values.end) }),
  })
  const lines = [...points].map(([key, value]) => `${key} ${value}\n`).sort()
  process.stdout.write(lines.join(''))
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await main()
