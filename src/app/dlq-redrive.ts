import { join } from 'node:path'
import type { Config, SinkConfig } from '../config/config.ts'
import { WardenError } from '../core/errors.ts'
import { pointKey, supersedes } from '../sink/data-point.ts'
import { OpentsdbReader } from '../sink/opentsdb-reader.ts'
import { Outbox } from '../sink/outbox.ts'
import { encodeName } from '../sink/point-names.ts'
import type { DataPoint } from '../sink/sink.ts'
import { LmdbStateStore } from '../state/lmdb-state-store.ts'
import { LmdbPointStore } from '../store/lmdb-point-store.ts'
import { type DeadLetter, name, noteRedriven } from './dlq-file.ts'
import { authorization, createPointSink } from './sinks.ts'
import { createTelemetry } from './telemetry.ts'

export interface RedriveOptions {
  readonly config: Config
  /** The dead-letter file. */
  readonly file: string
  /** Refused points that were not redriven. */
  readonly letters: readonly DeadLetter[]
  /** Write also where the store has another value. */
  readonly overwrite: boolean
  readonly print: (text: string) => void
}

const batchPoints = 500

/**
 * What to do with a refused point. Never is a newer value overwritten by it: the newest of a point among the letters goes, unless a newer
 * one waits in the outbox, or the store has a value, which some other revision left there.
 */
type Fate =
  | { readonly kind: 'write' }
  | { readonly kind: 'settled'; readonly why: string }
  | { readonly kind: 'kept'; readonly why: string }

/** Returns whether every letter is settled. @throws WardenError `state_locked` while a Warden runs on the state */
export async function redrive(options: RedriveOptions): Promise<boolean> {
  const { config, letters, print } = options
  if (letters.length === 0) {
    print('nothing to redrive\n')
    return true
  }
  const state = new LmdbStateStore(join(config.stateDir, 'state'))
  try {
    const names = config.sinks.map((sink) => sink.name)
    const outbox = new Outbox(state, { sinks: names, maxBytes: config.outbox.maxBytes })
    let isAllSettled = true
    for (const [sink, own] of groupBy(letters, sinkOf)) {
      const settled = await redriveSink(sink, own, outbox, options)
      isAllSettled &&= settled
    }
    return isAllSettled
  } finally {
    await state.close()
  }
}

async function redriveSink(
  name: string,
  letters: readonly DeadLetter[],
  outbox: Outbox,
  options: RedriveOptions,
): Promise<boolean> {
  const { config, file, print } = options
  const sink = config.sinks.find((one) => one.name === name)
  if (sink === undefined || sink.type === 'kafka') {
    print(
      `${letters.length} of sink ${name} stay: the config has no such sink that refuses points\n`,
    )
    return false
  }
  const waiting = waitingPoints(outbox, name)
  const newest = newestOf(letters)
  const held = options.overwrite ? new Map<string, number>() : await heldPoints(sink, newest)
  const write: DeadLetter[] = []
  const settled: DeadLetter[] = []
  for (const letter of letters) {
    const fate = fateOf(letter, newest, waiting, held)
    if (fate.kind === 'write') write.push(letter)
    else print(`${letter.number}  ${fate.kind}: ${fate.why}\n`)
    if (fate.kind === 'settled') settled.push(letter)
  }
  noteRedriven(file, settled)
  const written = await writeAll(sink, write, options)
  print(`${name}: ${written} written, ${settled.length} settled already, `)
  const left = letters.length - written - settled.length
  print(`${left} left\n`)
  return left === 0
}

function fateOf(
  letter: DeadLetter,
  newest: ReadonlyMap<string, DeadLetter>,
  waiting: ReadonlyMap<string, DataPoint>,
  held: ReadonlyMap<string, number>,
): Fate {
  const { point } = refusedOf(letter)
  const key = pointKey(point)
  const newer = newest.get(key)
  if (newer !== undefined && newer !== letter) {
    return { kind: 'settled', why: `${newer.number} is a newer value of the same point` }
  }
  const next = waiting.get(key)
  if (next !== undefined && supersedes(next, point)) {
    return { kind: 'settled', why: 'a newer value waits in the outbox' }
  }
  const value = held.get(key)
  if (value === undefined) return { kind: 'write' }
  if (value === point.value) return { kind: 'settled', why: 'the store has it' }
  return {
    kind: 'kept',
    why: `the store has ${value}, this is ${point.value}; --overwrite writes it`,
  }
}

/** Number of points written; the others are told. */
async function writeAll(
  config: Exclude<SinkConfig, { readonly type: 'kafka' }>,
  letters: readonly DeadLetter[],
  options: RedriveOptions,
): Promise<number> {
  if (letters.length === 0) return 0
  const points =
    config.type === 'embedded'
      ? new LmdbPointStore(join(options.config.stateDir, 'store'))
      : undefined
  const telemetry = createTelemetry({ ...options.config, log: { level: 'error' } })
  const sink = createPointSink(config, points, telemetry)
  let written = 0
  try {
    for (let from = 0; from < letters.length; from += batchPoints) {
      const batch = letters.slice(from, from + batchPoints)
      const { outcomes } = await sink.write(
        batch.map((letter) => refusedOf(letter).point),
        new AbortController().signal,
      )
      const done = batch.filter((_, i) => outcomes[i]?.kind === 'written')
      noteRedriven(options.file, done)
      written += done.length
      batch.forEach((letter, i) => {
        const outcome = outcomes[i]
        if (outcome === undefined || outcome.kind === 'written') return
        const { point } = refusedOf(letter)
        options.print(`${letter.number}  ${outcome.kind}: ${name(point)}: ${outcome.reason}\n`)
      })
    }
  } finally {
    await sink.close()
    await points?.close()
  }
  return written
}

/** Newest values that wait for a sink. */
function waitingPoints(outbox: Outbox, sink: string): ReadonlyMap<string, DataPoint> {
  const waiting = new Map<string, DataPoint>()
  for (let position = outbox.cursor(sink); ; position++) {
    const entry = outbox.read(position)
    if (entry === undefined) return waiting
    for (const point of entry.points) {
      const known = waiting.get(pointKey(point))
      if (known === undefined || supersedes(point, known)) waiting.set(pointKey(point), point)
    }
  }
}

/** What the store has at those points. Only OpenTSDB overwrites blindly; the others keep the newest revision themselves. */
async function heldPoints(
  sink: SinkConfig,
  newest: ReadonlyMap<string, DeadLetter>,
): Promise<ReadonlyMap<string, number>> {
  if (sink.type !== 'opentsdb') return new Map()
  const { url, timeoutMs } = sink
  const headers = { ...sink.headers, ...authorization(sink.auth) }
  const prefix = sink.prefix === '' ? '' : encodeName(sink.prefix)
  const keys = [...newest.keys()]
  const points = [...newest.values()].map((letter) => {
    const { point } = refusedOf(letter)
    return { ...point, metric: prefix + point.metric }
  })
  try {
    const reader = new OpentsdbReader({ url, timeoutMs, headers })
    const values = await reader.read(points, new AbortController().signal)
    const held = new Map<string, number>()
    keys.forEach((key, i) => {
      const value = values[i]
      if (value !== undefined) held.set(key, value)
    })
    return held
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause)
    const what = `sink ${sink.name} can't be asked what it has: ${message}`
    throw new WardenError('sink_unreachable', what, { cause })
  }
}

function newestOf(letters: readonly DeadLetter[]): ReadonlyMap<string, DeadLetter> {
  const newest = new Map<string, DeadLetter>()
  for (const letter of letters) {
    const { point } = refusedOf(letter)
    const known = newest.get(pointKey(point))
    if (known === undefined || supersedes(point, refusedOf(known).point)) {
      newest.set(pointKey(point), letter)
    }
  }
  return newest
}

function refusedOf(letter: DeadLetter): { readonly sink: string; readonly point: DataPoint } {
  if (letter.refused === undefined) {
    throw new WardenError('internal', `dead letter ${letter.number} is no refused point`)
  }
  return letter.refused
}

const sinkOf = (letter: DeadLetter): string => refusedOf(letter).sink

function groupBy(
  letters: readonly DeadLetter[],
  keyOf: (letter: DeadLetter) => string,
): Map<string, DeadLetter[]> {
  const groups = new Map<string, DeadLetter[]>()
  for (const letter of letters) {
    const key = keyOf(letter)
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [letter])
    else group.push(letter)
  }
  return groups
}
