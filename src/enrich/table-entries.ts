import { csvRows } from './csv-rows.ts'
import { entryOf, scalarText } from './entry.ts'
import type { Entry } from './origin.ts'

export type TableFormat = 'csv' | 'json' | 'yaml'

/** Entries by key of a CSV text: the first row names the columns. @throws Error saying what is wrong */
export function csvEntries(text: string, key: string | undefined): Map<string, Entry> {
  const [header, ...rows] = csvRows(text)
  if (header === undefined) throw new Error('there is no row with the names of the columns')
  const names = header.map((name) => name.trim())
  const keyAt = key === undefined ? 0 : names.indexOf(key)
  if (keyAt < 0) throw new Error(`there is no column ${key}; there are ${names.join(', ')}`)
  const entries = new Map<string, Entry>()
  for (const [index, row] of rows.entries()) {
    if (row.length !== names.length) {
      throw new Error(`row ${index + 2} has ${row.length} columns, the first has ${names.length}`)
    }
    const fields: Record<string, string> = Object.create(null)
    for (const [at, name] of names.entries()) fields[name] = row[at] ?? ''
    add(entries, row[keyAt] ?? '', fields)
  }
  return entries
}

/** Entries by key of a parsed JSON or YAML text: an object by key, or a list of objects with the field `key`. @throws Error saying what is wrong */
export function valueEntries(value: unknown, key: string | undefined): Map<string, Entry> {
  const entries = new Map<string, Entry>()
  if (Array.isArray(value)) {
    if (key === undefined) {
      throw new Error('it is a list, and nothing says which field is the key (key: <field>)')
    }
    for (const [index, one] of value.entries()) {
      const entry = entryOf(one)
      const text = typeof entry === 'object' ? entry[key] : undefined
      if (entry === undefined || text === undefined) {
        throw new Error(`element ${index + 1} of the list has no field ${key}`)
      }
      add(entries, text, entry)
    }
    return entries
  }
  if (typeof value !== 'object' || value === null) {
    throw new Error(`it is ${scalarText(value) ?? 'empty'}, and neither an object nor a list`)
  }
  for (const [name, one] of Object.entries(value)) {
    const entry = entryOf(one)
    if (entry === undefined) throw new Error(`the entry of ${name} is neither a text nor an object`)
    add(entries, name, entry)
  }
  return entries
}

function add(entries: Map<string, Entry>, key: string, entry: Entry): void {
  if (entries.has(key)) throw new Error(`the key ${key} stands there twice`)
  entries.set(key, entry)
}
