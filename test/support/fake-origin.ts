import { WardenError } from '../../src/core/errors.ts'
import type { Entry, Origin } from '../../src/enrich/origin.ts'

const away = () => Promise.reject(new WardenError('enrich_unreachable', 'away'))

/** A table in memory that a test can take away, let hang, or make refuse. */
export class FakeOrigin implements Origin {
  entries: Record<string, Entry> = { p1: 'cash', p2: 'card' }
  readonly asked: string[][] = []
  away = false
  hangs = false
  refuses = false

  lookup(keys: readonly string[]): Promise<ReadonlyMap<string, Entry>> {
    this.asked.push([...keys])
    if (this.hangs) return new Promise(() => {})
    if (this.refuses) return Promise.reject(new WardenError('enrich_refused', 'wrong password'))
    if (this.away) return away()
    return Promise.resolve(
      new Map(Object.entries(this.entries).filter(([key]) => keys.includes(key))),
    )
  }

  all(limit: number): Promise<ReadonlyMap<string, Entry>> {
    return this.away
      ? away()
      : Promise.resolve(new Map(Object.entries(this.entries).slice(0, limit)))
  }

  close(): Promise<void> {
    return Promise.resolve()
  }
}
