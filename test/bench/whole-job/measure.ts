import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { cpuSecondsOf, peakRssOf } from './process-usage.ts'

/** One reading of the topic by one peer. */
export interface Measured {
  readonly eventsPerSecond: number
  readonly cpuSecondsPerMillion: number
  readonly peakRssMib: number
}

/** Wall clock and processor time of a process from when the first record is there. */
export class Stopwatch {
  readonly #pid: number
  readonly #from = performance.now()
  readonly #cpuFrom: number

  constructor(pid: number) {
    this.#pid = pid
    this.#cpuFrom = cpuSecondsOf(pid)
  }

  /** @param seconds how long it took, where it is known better than by now */
  stop(records: number, seconds = this.seconds()): Measured {
    return {
      eventsPerSecond: records / seconds,
      cpuSecondsPerMillion: ((cpuSecondsOf(this.#pid) - this.#cpuFrom) / records) * 1e6,
      peakRssMib: peakRssOf(this.#pid) / 2 ** 20,
    }
  }

  seconds(): number {
    return (performance.now() - this.#from) / 1000
  }
}

/** kafkajs with JSON.parse: from its first batch to the last record counted. */
export async function measureConsumer(
  bootstrap: string,
  topic: string,
  records: number,
): Promise<Measured> {
  const script = fileURLToPath(new URL('json-parse-consumer.mjs', import.meta.url))
  const args = [script, bootstrap, topic, String(records)]
  const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] })
  const pid = pidOf(child)
  let watch: Stopwatch | undefined
  let measured: Measured | undefined
  for await (const line of createInterface({ input: child.stdout })) {
    if (line === 'first') watch = new Stopwatch(pid)
    if (line !== 'last') continue
    measured = watch?.stop(records)
    break
  }
  child.stdin.end()
  if (child.exitCode === null) await once(child, 'exit')
  if (measured === undefined) throw new Error(`kafkajs ended with ${child.exitCode}`)
  return measured
}

export function pidOf(child: ChildProcess): number {
  if (child.pid === undefined) throw new Error(`${child.spawnfile} did not start`)
  return child.pid
}
