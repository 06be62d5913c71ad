import { cpuSecondsOf, peakRssOf } from './process-tree.ts'

/** One reading of the topic by one peer. */
export interface Measured {
  /** In steady state. */
  readonly eventsPerSecond: number
  /** In steady state: user and system time of all its processes and their threads. */
  readonly cpuSecondsPerMillion: number
  /** From the start of its processes to their result. */
  readonly lifeCpuSecondsPerMillion: number
  readonly peakRssMib: number
  /** Durable ones; undefined where the peer makes none. */
  readonly checkpoints: number | undefined
}

/**
 * Steady state is the time between the moments at which a fifth and nineteen twentieths of all records are counted: what starts
 * or warms up is before it, what waits for the last record behind it. The same for every peer.
 */
const steady = { from: 0.2, to: 0.95 } as const

interface Sample {
  readonly ms: number
  readonly records: number
  readonly cpuSeconds: number
}

/** Takes down how far a peer is and what it has cost so far. */
export class Stopwatch {
  readonly #records: number
  readonly #pids: () => readonly number[]
  readonly #now: () => number
  readonly #samples: Sample[] = []

  /**
   * @param records those of the topic
   * @param pids the peer's processes
   * @param now ms, from anywhere
   */
  constructor(records: number, pids: () => readonly number[], now = () => performance.now()) {
    this.#records = records
    this.#pids = pids
    this.#now = now
  }

  /** Records counted by now. */
  reached(records: number): void {
    this.#samples.push({
      ms: this.#now(),
      records,
      cpuSeconds: cpuSecondsOf(this.#pids()),
    })
  }

  /** Call it when the results are there and the processes still are. */
  measured(checkpoints: number | undefined): Measured {
    const from = this.#at(steady.from * this.#records)
    const to = this.#at(steady.to * this.#records)
    const records = to.records - from.records
    return {
      eventsPerSecond: (records / (to.ms - from.ms)) * 1000,
      cpuSecondsPerMillion: ((to.cpuSeconds - from.cpuSeconds) / records) * 1e6,
      lifeCpuSecondsPerMillion: (cpuSecondsOf(this.#pids()) / this.#records) * 1e6,
      peakRssMib: peakRssOf(this.#pids()) / 2 ** 20,
      checkpoints,
    }
  }

  /** Between the samples around so many records, in proportion. */
  #at(records: number): Sample {
    const index = this.#samples.findIndex((sample) => sample.records >= records)
    const after = this.#samples[index]
    if (after === undefined) throw new Error(`never saw ${records} records counted`)
    const before = this.#samples[index - 1] ?? after
    const share =
      after === before ? 0 : (records - before.records) / (after.records - before.records)
    const between = (a: number, b: number) => a + share * (b - a)
    return {
      ms: between(before.ms, after.ms),
      records: between(before.records, after.records),
      cpuSeconds: between(before.cpuSeconds, after.cpuSeconds),
    }
  }
}
