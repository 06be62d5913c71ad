import { readFile, stat } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Counts, differences } from '../load/expected-counts.ts'
import { usualLoad } from '../load/load-spec.ts'
import { dimensionsOf } from '../load/loan-events.ts'
import { pointsFile } from './warden-config.ts'

const lookMs = 100

interface Point {
  readonly metric: string
  readonly tags: Readonly<Record<string, string>>
  /** Epoch seconds. */
  readonly timestamp: number
  readonly value: number
}

/** What the points of the file sink come to. A rate is turned back into the count it was made of. */
export async function wardenCounts(directory: string): Promise<Counts> {
  const text = await readFile(pointsFile(directory), 'utf8').catch(() => '')
  const values = new Map<string, number>()
  for (const line of text.split('\n').slice(0, -1)) {
    const { metric, tags, timestamp, value } = JSON.parse(line) as Point
    const series = metric.startsWith('warden.loan')
      ? dimensionsText(tags)
      : `${tags.channel} ${tags.outcome}`
    values.set(`${metric} ${timestamp * 1000} ${series}`, Number(value))
  }
  const counts = new Map<string, number>()
  for (const [key, value] of values) {
    const [metric = '', hour, first, second] = key.split(' ')
    const of = (name: string) => values.get(`warden.loan.${name} ${hour} ${first} ${second}`) ?? 0
    const loan = `loan ${hour} ${first} ${second}`
    if (metric === 'warden.loan.users') counts.set(`${loan} users`, value)
    if (metric === 'warden.loan.events') counts.set(`${loan} events`, value)
    if (metric === 'warden.loan.rate') counts.set(`${loan} success`, whole(value * of('users')))
    if (metric === 'warden.loan.rawRate') {
      counts.set(`${loan} rawSuccess`, whole(value * of('events')))
    }
    if (metric === 'warden.channel.count') counts.set(`channel ${hour} ${first} ${second}`, value)
  }
  return counts
}

/** A job without dimensions reads a topic of one series. */
function dimensionsText({ bizLine, product }: Point['tags']): string {
  const [line, kind] = dimensionsOf({ ...usualLoad, series: 1 }, 0)
  return `${bizLine ?? line} ${product ?? kind}`
}

/** The nearest whole number where `value` is one but for the rounding of a division; else `value`. */
function whole(value: number): number {
  const nearest = Math.round(value)
  return Math.abs(value - nearest) < 1e-6 * Math.max(1, nearest) ? nearest : value
}

/** Resolves when the points are what was expected; rejects with the differences when they are not after a while. */
export async function untilPointsEqual(
  directory: string,
  expected: Counts,
  endMs: number,
  timeoutMs = 60_000,
): Promise<void> {
  const deadline = performance.now() + timeoutMs
  let bytes = -1
  for (;;) {
    const { size } = await stat(pointsFile(directory)).catch(() => ({ size: 0 }))
    const isLast = performance.now() > deadline
    // While it grows, reading it would only cost time.
    if (size === bytes || isLast) {
      const wrong = differences(expected, await wardenCounts(directory), endMs)
      if (wrong.length === 0) return
      if (isLast) {
        throw new Error(`${wrong.length} counts are wrong: ${wrong.slice(0, 3).join('; ')}`)
      }
    }
    bytes = size
    await sleep(lookMs)
  }
}
