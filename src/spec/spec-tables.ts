import { parse } from 'yaml'
import { WardenError } from '../core/errors.ts'
import type { MetricPlan } from '../core/plan.ts'
import type { Answer } from '../enrich/key-table.ts'
import type { Entry } from '../enrich/origin.ts'
import { csvEntries, valueEntries } from '../enrich/table-entries.ts'

type Table = ReadonlyMap<string, Entry>

/** The tables of one case: what it gives is all there is. */
export class SpecTables {
  readonly #readFile: (path: string) => string
  readonly #tables = new Map<string, Table>()

  /** @param readFile text of a file that is named in the spec; throws when there is none */
  constructor(readFile: (path: string) => string) {
    this.#readFile = readFile
  }

  /** Tables by name: entries by key, or the path of a file; from now on, in the place of those of that name. @throws WardenError */
  set(tables: Readonly<Record<string, unknown>>): void {
    for (const [name, table] of Object.entries(tables))
      this.#tables.set(name, this.#read(name, table))
  }

  /** @throws WardenError naming a table that a metric needs and the case does not give */
  check(metrics: readonly MetricPlan[]): void {
    for (const { dimensions } of metrics) {
      for (const { lookup } of dimensions) {
        if (lookup === undefined || this.#tables.has(lookup.from)) continue
        throw new WardenError(
          'config_invalid',
          `the case gives no table ${lookup.from}: add tables: { ${lookup.from}: { <key>: <value or fields> } }, or the path of a file`,
        )
      }
    }
  }

  answer(table: string, key: string): Answer {
    const entry = this.#tables.get(table)?.get(key)
    return entry === undefined ? { kind: 'missing' } : { kind: 'found', entry }
  }

  #read(name: string, table: unknown): Table {
    try {
      if (typeof table !== 'string') return valueEntries(table, undefined)
      const text = this.#readFile(table)
      return table.endsWith('.csv')
        ? csvEntries(text, undefined)
        : valueEntries(parse(text), undefined)
    } catch (cause) {
      if (cause instanceof WardenError) throw cause
      const why = cause instanceof Error ? cause.message : String(cause)
      throw new WardenError('config_invalid', `table ${name}: ${why}`, { cause })
    }
  }
}
