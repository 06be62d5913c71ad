/**
 * Counts a topic or JSONL files by itself, with nothing of Warden's code: JSON.parse and a Map. What Warden writes must equal it.
 *   node --import tsx test/e2e/brute-force.ts (--bootstrap HOST:PORT --topic NAME | FILE…)
 *     [--time eventTime] [--user userId] [--outcome status] [--dims bizLine] [--window-seconds 3600] [--keep best|first|last|none]
 *     [--outcomes fail,success] [--success success] [--where event=loan]
 * Prints one JSON document.
 */
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { type InputRecord, readLines, readTopic } from './records.ts'

/** What the fields of the documents mean; dotted paths. */
export interface Mapping {
  /** Epoch ms, as a number. */
  readonly time: string
  readonly user: string
  readonly outcome: string
  readonly dims: readonly string[]
  readonly windowMs: number
  /** Added to every window's start; 0 by default. */
  readonly offsetMs?: number
  /** Which event of a user counts in a window; undefined: all. */
  readonly keep: 'first' | 'last' | 'best' | undefined
  /** Worst first; others rank below all of them. */
  readonly outcomes: readonly string[]
  readonly success: readonly string[]
  /** Path → text that the field must have; others are no events of this metric. */
  readonly where?: Readonly<Record<string, string>>
  readonly minEventTimeMs?: number
  /** A time further ahead of the record's timestamp (or now) is bogus. */
  readonly maxFutureSkewMs?: number
}

export const lendingMapping: Mapping = {
  time: 'eventTime',
  user: 'userId',
  outcome: 'status',
  dims: ['bizLine'],
  windowMs: 3_600_000,
  keep: 'best',
  outcomes: ['fail', 'success'],
  success: ['success'],
}

/** What one window of one series must hold. */
export interface ExpectedPane {
  /** Epoch ms. */
  readonly windowStart: number
  readonly dims: Readonly<Record<string, string>>
  /** All of them, duplicates included. */
  readonly events: number
  /** One per user where the mapping keeps one, else all. */
  readonly kept: number
  /** Distinct users. */
  readonly users: number
  /** Kept events whose outcome is a success. */
  readonly success: number
  /** success ÷ kept. */
  readonly rate: number
  /** Kept events by the outcome's own text. */
  readonly outcomes: Readonly<Record<string, number>>
}

/** Every record is in exactly one of counted, filtered, late, garbage. */
export interface Expected {
  readonly records: number
  readonly counted: number
  readonly filtered: number
  /** `partition-offset` of the documents tagged `"late": true`. */
  readonly late: ReadonlySet<string>
  /** `partition-offset` → reason. */
  readonly garbage: ReadonlyMap<string, string>
  /** Under `paneKey`. */
  readonly panes: ReadonlyMap<string, ExpectedPane>
  /** Partition → largest sane event time, late ones left out. */
  readonly maxTime: ReadonlyMap<number, number>
}

/** Key of a pane: start in epoch ms and the values in the order of the mapping's `dims`. */
export function paneKey(windowStart: number, dims: readonly string[]): string {
  return JSON.stringify([windowStart, ...dims])
}

interface Kept {
  time: number
  outcome: string
}

interface Cell {
  readonly windowStart: number
  readonly dims: readonly string[]
  events: number
  readonly byUser: Map<string, Kept>
  readonly outcomes: Map<string, number>
}

type Fate = 'counted' | 'filtered' | 'late' | { readonly garbage: string }

/** Takes records one by one; `expected` gives the sums. */
export class BruteForce {
  readonly #mapping: Mapping
  readonly #cells = new Map<string, Cell>()
  readonly #late = new Set<string>()
  readonly #garbage = new Map<string, string>()
  readonly #maxTime = new Map<number, number>()
  #records = 0
  #counted = 0
  #filtered = 0

  constructor(mapping: Mapping) {
    this.#mapping = mapping
  }

  add(record: InputRecord): void {
    this.#records++
    const position = `${record.partition}-${record.offset}`
    const fate = this.#take(record)
    if (fate === 'counted') this.#counted++
    else if (fate === 'filtered') this.#filtered++
    else if (fate === 'late') this.#late.add(position)
    else this.#garbage.set(position, fate.garbage)
  }

  expected(): Expected {
    const panes = new Map<string, ExpectedPane>()
    for (const [key, cell] of this.#cells) panes.set(key, this.#pane(cell))
    return {
      records: this.#records,
      counted: this.#counted,
      filtered: this.#filtered,
      late: this.#late,
      garbage: this.#garbage,
      panes,
      maxTime: this.#maxTime,
    }
  }

  #take(record: InputRecord): Fate {
    const document = parsed(record.value)
    if (typeof document === 'string') return { garbage: document }
    const {
      time: timePath,
      minEventTimeMs = Date.UTC(2000),
      maxFutureSkewMs = 3_600_000,
    } = this.#mapping
    const time = at(document, timePath)
    if (time === undefined || time === null) return { garbage: 'missing_time' }
    if (typeof time !== 'number' || !(time > 0)) return { garbage: 'bad_time' }
    if (time < minEventTimeMs) return { garbage: 'time_too_old' }
    const now = record.timestamp > 0 ? Math.min(record.timestamp, Date.now()) : Date.now()
    if (time > now + maxFutureSkewMs) return { garbage: 'time_in_future' }
    if (at(document, 'late') === true) return 'late'

    const newest = this.#maxTime.get(record.partition) ?? Number.NEGATIVE_INFINITY
    this.#maxTime.set(record.partition, Math.max(newest, time))
    for (const [path, text] of Object.entries(this.#mapping.where ?? {})) {
      if (String(at(document, path)) !== text) return 'filtered'
    }
    const dims = this.#mapping.dims.map((path) => at(document, path))
    if (dims.some((value) => value === undefined || value === null)) {
      return { garbage: 'missing_dimension' }
    }
    const user = at(document, this.#mapping.user)
    if (user === undefined || user === null || user === '') return { garbage: 'missing_user' }
    const outcome = at(document, this.#mapping.outcome)
    if (outcome === undefined || outcome === null) return { garbage: 'missing_outcome' }
    this.#count(time, dims.map(String), String(user), String(outcome))
    return 'counted'
  }

  #count(time: number, dims: readonly string[], user: string, outcome: string): void {
    const { windowMs, offsetMs = 0, keep } = this.#mapping
    const windowStart = Math.floor((time - offsetMs) / windowMs) * windowMs + offsetMs
    const key = paneKey(windowStart, dims)
    let cell = this.#cells.get(key)
    if (cell === undefined) {
      cell = { windowStart, dims, events: 0, byUser: new Map(), outcomes: new Map() }
      this.#cells.set(key, cell)
    }
    cell.events++
    const kept = cell.byUser.get(user)
    if (kept === undefined) cell.byUser.set(user, { time, outcome })
    if (keep === undefined || kept === undefined) {
      cell.outcomes.set(outcome, (cell.outcomes.get(outcome) ?? 0) + 1)
    } else if (this.#replaces(time, outcome, kept)) {
      cell.outcomes.set(kept.outcome, (cell.outcomes.get(kept.outcome) ?? 0) - 1)
      cell.outcomes.set(outcome, (cell.outcomes.get(outcome) ?? 0) + 1)
      kept.time = time
      kept.outcome = outcome
    }
  }

  #replaces(time: number, outcome: string, kept: Kept): boolean {
    const { keep, outcomes } = this.#mapping
    const better = outcomes.indexOf(outcome) > outcomes.indexOf(kept.outcome)
    if (keep === 'best' || time === kept.time) return better
    return keep === 'first' ? time < kept.time : time > kept.time
  }

  #pane(cell: Cell): ExpectedPane {
    const outcomes = Object.fromEntries([...cell.outcomes].filter(([, count]) => count > 0))
    const kept = Object.values(outcomes).reduce((sum, count) => sum + count, 0)
    const success = this.#mapping.success.reduce((sum, one) => sum + (outcomes[one] ?? 0), 0)
    return {
      windowStart: cell.windowStart,
      dims: Object.fromEntries(this.#mapping.dims.map((name, i) => [name, cell.dims[i] ?? ''])),
      events: cell.events,
      kept,
      users: cell.byUser.size,
      success,
      rate: success / kept,
      outcomes,
    }
  }
}

const strictText = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** The document, or why there is none. */
function parsed(value: Buffer | undefined): object | string {
  if (value === undefined || value.length === 0) return 'empty'
  let text: string
  try {
    text = strictText.decode(value)
  } catch {
    return 'invalid_utf8'
  }
  try {
    const document: unknown = JSON.parse(text)
    const isObject = typeof document === 'object' && document !== null && !Array.isArray(document)
    return isObject ? document : 'not_an_object'
  } catch {
    return 'not_json'
  }
}

function at(document: object, path: string): unknown {
  let value: unknown = document
  for (const key of path.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined
    value = (value as Record<string, unknown>)[key]
  }
  return value
}

/** Counts a whole topic, as far as it reaches when the reading begins. */
export async function countTopic(
  bootstrap: string,
  topic: string,
  mapping: Mapping = lendingMapping,
): Promise<Expected> {
  const count = new BruteForce(mapping)
  await readTopic(bootstrap, topic, (record) => count.add(record))
  return count.expected()
}

/** Counts files of JSON lines; the partition is the file's number, the offset that of the line's first byte. */
export async function countFiles(
  files: readonly string[],
  mapping: Mapping = lendingMapping,
): Promise<Expected> {
  const count = new BruteForce(mapping)
  for (const [partition, file] of files.entries()) {
    await readLines(file, partition, (record) => count.add(record))
  }
  return count.expected()
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    options: {
      bootstrap: { type: 'string' },
      topic: { type: 'string' },
      time: { type: 'string', default: lendingMapping.time },
      user: { type: 'string', default: lendingMapping.user },
      outcome: { type: 'string', default: lendingMapping.outcome },
      dims: { type: 'string', default: lendingMapping.dims.join(',') },
      'window-seconds': { type: 'string', default: String(lendingMapping.windowMs / 1000) },
      keep: { type: 'string', default: 'best' },
      outcomes: { type: 'string', default: lendingMapping.outcomes.join(',') },
      success: { type: 'string', default: lendingMapping.success.join(',') },
      where: { type: 'string', multiple: true, default: [] },
    },
    allowPositionals: true,
  })
  const list = (text: string) => text.split(',').filter((one) => one !== '')
  const keep = (['first', 'last', 'best'] as const).find((one) => one === values.keep)
  const mapping: Mapping = {
    time: values.time,
    user: values.user,
    outcome: values.outcome,
    dims: list(values.dims),
    windowMs: Number(values['window-seconds']) * 1000,
    keep,
    outcomes: list(values.outcomes),
    success: list(values.success),
    where: Object.fromEntries(values.where.map((one) => one.split('=') as [string, string])),
  }
  const expected =
    values.bootstrap !== undefined && values.topic !== undefined
      ? await countTopic(values.bootstrap, values.topic, mapping)
      : await countFiles(positionals, mapping)
  const reasons: Record<string, number> = {}
  for (const reason of expected.garbage.values()) reasons[reason] = (reasons[reason] ?? 0) + 1
  const report = {
    records: expected.records,
    counted: expected.counted,
    filtered: expected.filtered,
    late: expected.late.size,
    garbage: expected.garbage.size,
    reasons,
    maxTime: Object.fromEntries(expected.maxTime),
    panes: [...expected.panes.values()].sort((a, b) => a.windowStart - b.windowStart),
  }
  process.stdout.write(`${JSON.stringify(report, null, 1)}\n`)
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await main()
