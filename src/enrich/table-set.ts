import type { Clock } from '../core/telemetry.ts'
import type { KeyTable, TableHealth } from './key-table.ts'

/** Processing time between two looks at the gauges. */
const updateMs = 5_000

/** The tables of a job: begun and ended together. */
export class TableSet {
  readonly byName: ReadonlyMap<string, KeyTable>
  readonly #clock: Clock
  readonly #stop = new AbortController()
  #running: Promise<void> | undefined

  constructor(tables: readonly KeyTable[], clock: Clock) {
    this.byName = new Map(tables.map((one) => [one.name, one]))
    this.#clock = clock
  }

  start(): void {
    for (const table of this.byName.values()) table.start()
    if (this.byName.size > 0) this.#running ??= this.#run()
  }

  health(): readonly TableHealth[] {
    return [...this.byName.values()].map((table) => table.health())
  }

  async stop(): Promise<void> {
    this.#stop.abort(new Error('stopped'))
    await this.#running
    await Promise.allSettled([...this.byName.values()].map((table) => table.stop()))
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop
    while (!signal.aborted) {
      for (const table of this.byName.values()) table.update()
      await this.#clock.sleep(updateMs, signal).catch(() => {})
    }
  }
}
