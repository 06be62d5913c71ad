import { type EpochMs, epochMs } from '../core/time.ts'
import {
  chance,
  failingOf,
  hash,
  type LendingRecord,
  lendingJson,
  spoiled,
} from './lending-json.ts'

/** A stream of lending events: the same plan gives the same bytes, on every machine and after every restart. */
export interface LendingPlan {
  readonly seed: number
  /** Arrival time of the first events; no event is older. */
  readonly start: EpochMs
  /** Mean events per second of event time, over a day and all partitions. */
  readonly eventsPerSecond: number
  /** Size of the population that the users come from. */
  readonly users: number
  /** A user's events all come in one of them. */
  readonly partitions: number
}

/** All events that arrive at one partition in one stretch of time, in the order of their arrival. */
export interface LendingSlice {
  readonly count: number
  /** JSON lines, line ends included. */
  readonly bytes: Buffer
  /** End of line i in `bytes`, its line end included. */
  readonly ends: readonly number[]
  /** Arrival of line i, ascending. Its event happened less than 20 s before; of a few, up to 3 h. */
  readonly arrivals: readonly number[]
  /** User of line i: what a topic is keyed by. Garbage has one too. */
  readonly keys: readonly string[]
}

/** Bound of a slice's bytes. Plans of more events per second and partition than `maxEventsPerSecond` could reach it. */
export const maxSliceBytes = 2 ** 24
export const maxEventsPerSecond = 2_000_000

/** Mean events of a slice, where that makes it neither shorter nor longer than the bounds. */
const eventsPerSlice = 1000
const sliceBoundsMs = { min: 10, max: 60_000 }

/** Volume of each hour of the day in China relative to the mean. */
const dailyCurve = [
  0.42, 0.27, 0.19, 0.15, 0.14, 0.2, 0.38, 0.69, 1.02, 1.34, 1.52, 1.46, 1.28, 1.23, 1.36, 1.44,
  1.39, 1.26, 1.18, 1.27, 1.48, 1.46, 1.11, 0.76,
]

/** Seconds from the first attempt to the second, third and fourth, and from the accepted one to the pay-out. */
const rhythms: readonly (readonly [number, number, number, number])[] = [
  [7, 16, 31, 9],
  [11, 24, 48, 35],
  [15, 33, 70, 62],
  [19, 45, 77, 14],
  [23, 58, 131, 90],
  [29, 74, 166, 120],
  [37, 83, 190, 41],
  [45, 101, 230, 75],
  [53, 140, 300, 210],
  [67, 155, 380, 28],
  [83, 210, 500, 160],
  [97, 260, 640, 330],
  [130, 420, 900, 55],
  [190, 600, 1500, 480],
  [310, 1100, 2400, 840],
  [620, 1900, 4200, 1500],
]
const turns = rhythms.length
const mostFails = 3

/** By which a number of events becomes a number of journeys; a test holds it. */
const eventsPerJourney = 2.057

const repayShare = 0.15
const failsAgain = 0.42
const succeedsAfterFails = 0.72
const paidOut = 0.8
const lateShare = 0.0005
const garbageShare = 0.001
const payOutStep = 8

const salt = { arrival: 1, kind: 2, first: 3, again: 4, end: 5, paid: 6, user: 7 } as const
const stepSalt = { disorder: 101, depth: 102, garbage: 103, spoil: 104 } as const

/**
 * Pure: slice n follows from the plan and n alone, so that reading goes on anywhere at no cost. What a user does later
 * (the next attempt, the pay-out) comes after one of a few fixed delays, so that slice n finds it by looking at the
 * journeys that began just so long before.
 */
export class LendingEvents {
  /** Stretch of arrival time that a slice holds. */
  readonly sliceMs: number
  readonly #plan: LendingPlan
  readonly #seed: number
  readonly #partition: number

  constructor(plan: LendingPlan, partition: number) {
    const perSecond = plan.eventsPerSecond / plan.partitions
    const wanted = Math.round((1000 * eventsPerSlice) / perSecond)
    this.sliceMs = Math.min(sliceBoundsMs.max, Math.max(sliceBoundsMs.min, wanted))
    this.#plan = plan
    this.#partition = partition
    this.#seed = hash(plan.seed, partition)
  }

  startOf(slice: number): EpochMs {
    return epochMs(this.#plan.start + slice * this.sliceMs)
  }

  slice(slice: number): LendingSlice {
    const records: LendingRecord[] = []
    for (const [index, rhythm] of rhythms.entries())
      for (let attempt = 0; attempt <= mostFails; attempt += 1) {
        const delayMs = attempt === 0 ? 0 : (rhythm[attempt - 1] ?? 0) * 1000
        this.#steps(slice, index, delayMs, attempt, false, records)
        this.#steps(slice, index, delayMs + rhythm[3] * 1000, attempt, true, records)
      }
    records.sort((a, b) => a.arrival - b.arrival || a.journey - b.journey || a.step - b.step)
    return written(records)
  }

  /** Whole slices from `slice` on, without end. */
  *from(slice: number): Generator<LendingSlice, never> {
    for (let at = slice; ; at += 1) yield this.slice(at)
  }

  /** Adds what arrives in the slice and is the given step, `delayMs` after the begin, of journeys of one rhythm. */
  #steps(
    slice: number,
    rhythm: number,
    delayMs: number,
    attempt: number,
    payOut: boolean,
    into: LendingRecord[],
  ): void {
    const from = slice * this.sliceMs - delayMs
    const first = Math.floor(from / this.sliceMs)
    for (let begun = Math.max(0, first); begun <= first + 1; begun += 1) {
      const seed = hash(this.#seed, begun)
      const count = this.#journeysIn(begun, seed)
      // Journeys begin in the order of i: only those around the wanted stretch are looked at.
      const low = Math.max(0, Math.floor((from / this.sliceMs - begun) * count) - 1)
      const high = Math.min(count, Math.ceil((from / this.sliceMs + 1 - begun) * count) + 1)
      const turn = (((rhythm + begun - low) % turns) + turns) % turns
      for (let i = low + turn; i < high; i += turns) {
        const journey = hash(seed, i)
        const at = (begun + (i + chance(journey, salt.arrival)) / count) * this.sliceMs
        if (at < from || at >= from + this.sliceMs) continue
        const fails = failsOf(journey)
        const accepted = fails === 0 || chance(journey, salt.end) < succeedsAfterFails
        const repay = chance(journey, salt.kind) < repayShare
        const happens = payOut
          ? attempt === fails && accepted && !repay && chance(journey, salt.paid) < paidOut
          : attempt < fails || (attempt === fails && accepted)
        if (!happens) continue
        const arrival = this.#plan.start + at + delayMs
        const step = payOut ? payOutStep : attempt
        into.push({
          arrival,
          eventTime: this.#eventTime(arrival, hash(journey, step)),
          event: payOut ? 'loan' : repay ? 'repay' : 'apply',
          success: attempt === fails,
          journey,
          step,
          user: this.#user(journey),
          order: `${this.#partition}-${begun.toString(36)}-${i.toString(36)}-${step}`,
        })
      }
    }
  }

  /** The mean of the hour, rounded up or down by chance. */
  #journeysIn(slice: number, seed: number): number {
    const hour = Math.floor((this.startOf(slice) / 3_600_000 + 8) % 24)
    const perSecond = this.#plan.eventsPerSecond / this.#plan.partitions / eventsPerJourney
    const mean = (perSecond * (dailyCurve[hour] ?? 1) * this.sliceMs) / 1000
    return Math.floor(mean + chance(seed, salt.arrival))
  }

  /** Mostly a moment before the arrival, always less than 20 s; of a few events ten minutes to three hours. */
  #eventTime(arrival: number, event: number): number {
    const depth = chance(event, stepSalt.depth)
    const kind = chance(event, stepSalt.disorder)
    let delayMs: number
    if (kind < lateShare / 2) delayMs = 600_000 + depth * 3_600_000
    else if (kind < lateShare) delayMs = 4_500_000 + depth * 6_300_000
    else if (kind < 0.7) delayMs = depth * 2_000
    else if (kind < 0.95) delayMs = 2_000 + depth * 8_000
    else delayMs = 10_000 + depth * 9_900
    return Math.floor(Math.max(this.#plan.start, arrival - delayMs))
  }

  #user(journey: number): string {
    const { users, partitions } = this.#plan
    const mine = Math.max(1, Math.floor(users / partitions))
    const one = Math.floor(chance(journey, salt.user) * mine)
    return `u${String(one * partitions + this.#partition).padStart(8, '0')}`
  }
}

function failsOf(journey: number): number {
  if (chance(journey, salt.first) >= failingOf(journey)) return 0
  let fails = 1
  while (fails < mostFails && chance(journey, salt.again * 32 + fails) < failsAgain) fails += 1
  return fails
}

function written(records: readonly LendingRecord[]): LendingSlice {
  const lines: string[] = []
  const ends: number[] = []
  let end = 0
  for (const record of records) {
    const event = hash(record.journey, record.step)
    const json =
      chance(event, stepSalt.garbage) < garbageShare
        ? spoiled(record, hash(event, stepSalt.spoil))
        : lendingJson(record)
    lines.push(json)
    end += Buffer.byteLength(json) + 1
    ends.push(end)
  }
  return {
    count: records.length,
    bytes: Buffer.from(lines.length === 0 ? '' : `${lines.join('\n')}\n`),
    ends,
    arrivals: records.map((each) => each.arrival),
    keys: records.map((each) => each.user),
  }
}
