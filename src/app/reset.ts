import type { Config, SourceConfig } from '../config/config.ts'
import { WardenError } from '../core/errors.ts'
import type { StateStore } from '../core/state-store.ts'
import type { Telemetry } from '../core/telemetry.ts'
import { epochMs, formatDuration } from '../core/time.ts'
import { readBatchHeaders } from '../ingest/kafka-batch-headers.ts'
import type { PartitionPosition, Source } from '../ingest/source.ts'
import {
  type CheckpointedSource,
  checkpointedSource,
  type ResetPosition,
  resetSource,
} from '../pipeline/reset-state.ts'
import { LmdbStateStore } from '../state/lmdb-state-store.ts'
import { stateDirectory } from './savepoints.ts'
import { createSource } from './sources.ts'
import { asRestored } from './state-facts.ts'
import { createTelemetry } from './telemetry.ts'

/** Where to: `earliest`, `latest`, a time, or offsets of partitions; those not named stay where they are. */
export type ResetTarget =
  | { readonly kind: 'earliest' | 'latest' }
  | { readonly kind: 'timestamp'; readonly at: number }
  | { readonly kind: 'offsets'; readonly offsets: ReadonlyMap<string, number> }

export interface ResetOptions {
  readonly config: Config
  /** Name of the source; undefined: the only one. */
  readonly source: string | undefined
  readonly to: ResetTarget
  /** Without it only the preview is printed. */
  readonly confirmed: boolean
  readonly print: (text: string) => void
}

/** Longest wait for a partition to say what its first record is. */
const lookMs = 10_000

/** `earliest`, `latest`, `2026-11-20T00:00:00Z`, or `orders-0=120,orders-1=99`. @throws WardenError `usage` */
export function parseTarget(text: string): ResetTarget {
  if (text === 'earliest' || text === 'latest') return { kind: text }
  if (/^\d{4}-\d\d-\d\dT/.test(text) && !Number.isNaN(Date.parse(text)))
    return { kind: 'timestamp', at: Date.parse(text) }
  const offsets = text.split(',').map((one) => /^(.+)=(\d{1,15})$/.exec(one))
  if (offsets.every((match) => match !== null))
    return {
      kind: 'offsets',
      offsets: new Map(offsets.map((match) => [match?.[1] ?? '', Number(match?.[2])])),
    }
  const right =
    'earliest, latest, a time like 2026-11-20T00:00:00Z, or offsets like orders-0=120,orders-1=99'
  throw new WardenError('usage', `--to ${text} is none of ${right}`)
}

/**
 * Sets a source of a stopped job to other positions, after showing what that means.
 * @returns whether the state was changed
 * @throws WardenError `usage`, `state_locked`, `state_incompatible`, or what the source says
 */
export async function reset(options: ResetOptions): Promise<boolean> {
  const { config, print, confirmed } = options
  const source = chosen(options)
  const telemetry = createTelemetry(config)
  const store = new LmdbStateStore(stateDirectory(config))
  try {
    const now = checkpointedSource(store, source.name)
    if (now === undefined)
      throw new WardenError(
        'state_incompatible',
        `the state knows no source ${source.name}: where it starts is in the config (from)`,
      )
    const positions = await positionsOf(options, source, now, telemetry)
    preview(options, source, now, positions)
    if (!confirmed) {
      print('nothing was changed; write --yes to do it\n')
      return false
    }
    await apply(store, options, source, positions, telemetry.clock.now())
    print('done; the next start reads from there\n')
    return true
  } finally {
    await store.close()
  }
}

function apply(
  store: StateStore,
  { config }: ResetOptions,
  source: SourceConfig,
  positions: ReadonlyMap<string, ResetPosition>,
  now: number,
): Promise<void> {
  const metrics = config.metrics.filter((one) => one.source === source.name).map(({ name }) => name)
  return store.commit([
    ...resetSource(store, source.name, positions, metrics),
    // What is counted again is newer than what was written before.
    ...asRestored(store, config.job, now),
  ])
}

function chosen({ config, source, to }: ResetOptions): SourceConfig {
  const names = config.sources.map(({ name }) => name)
  const name = source ?? (names.length === 1 ? names[0] : undefined)
  if (name === undefined)
    throw new WardenError('usage', `there are several sources: --source one of ${names.join(', ')}`)
  const found = config.sources.find((one) => one.name === name)
  if (found === undefined)
    throw new WardenError('usage', `there is no source ${name}, only ${names.join(', ')}`)
  if (found.type === 'http' || found.type === 'generator')
    throw new WardenError(
      'usage',
      `a source of type ${found.type} can't be read again: it keeps nothing behind the checkpoint`,
    )
  if (found.type === 'file' && to.kind !== 'earliest' && to.kind !== 'latest')
    throw new WardenError('usage', 'files are read again from earliest or latest only')
  return found
}

/** Asks the source itself, as a start without state would. */
async function positionsOf(
  { config, to }: ResetOptions,
  source: SourceConfig,
  now: CheckpointedSource,
  telemetry: Telemetry,
): Promise<ReadonlyMap<string, ResetPosition>> {
  const wanted =
    to.kind === 'offsets' ? withOffsets(now, to.offsets) : new Map<string, PartitionPosition>()
  const opened = createSource(startingAt(source, to), config, telemetry)
  try {
    await opened.open(wanted)
    const found = new Map<string, ResetPosition>()
    const first = to.kind === 'offsets' ? await firstTimes(opened) : undefined
    for (const { name, position, readFrom } of opened.partitions()) {
      found.set(name, {
        ...(wanted.get(name) ?? position),
        readFrom: first === undefined ? readFrom : (first.get(name) ?? telemetry.clock.now()),
      })
    }
    return found
  } finally {
    await opened.close()
  }
}

function startingAt(source: SourceConfig, to: ResetTarget): SourceConfig {
  if (source.type === 'kafka') {
    if (to.kind === 'timestamp')
      return { ...source, from: { kind: 'timestamp', at: epochMs(to.at) } }
    return { ...source, from: { kind: to.kind === 'latest' ? 'latest' : 'earliest' } }
  }
  return source.type === 'file'
    ? { ...source, from: to.kind === 'latest' ? 'latest' : 'earliest' }
    : source
}

function withOffsets(
  now: CheckpointedSource,
  offsets: ReadonlyMap<string, number>,
): Map<string, PartitionPosition> {
  for (const name of offsets.keys()) {
    if (now.positions.has(name)) continue
    const known = [...now.positions.keys()].join(', ')
    throw new WardenError('usage', `the state knows no partition ${name}, only ${known}`)
  }
  return new Map(
    [...now.positions].map(([name, { offset, identity }]) => [
      name,
      { offset: offsets.get(name) ?? offset, identity },
    ]),
  )
}

/** Timestamp of the first record of each partition from its position on; none for a partition at its end. */
async function firstTimes(source: Source): Promise<ReadonlyMap<string, number>> {
  const times = new Map<string, number>()
  const signal = AbortSignal.timeout(lookMs)
  for (;;) {
    for (let batch = source.take(); batch !== undefined; batch = source.take()) {
      const name = source.partitions()[batch.partition]?.name ?? ''
      const { firstMaxTimestamp } = readBatchHeaders(batch.bytes)
      if (!times.has(name) && firstMaxTimestamp > 0) times.set(name, firstMaxTimestamp)
    }
    const open = source
      .partitions()
      .filter((one) => !times.has(one.name) && one.caughtUpAt === undefined)
    if (open.length === 0) return times
    try {
      await source.ready(signal)
    } catch (cause) {
      if (!signal.aborted) throw cause
      throw new WardenError(
        'source_unreachable',
        `${open[0]?.name} did not say what is at that offset within ${lookMs / 1000} s`,
        { cause },
      )
    }
  }
}

function preview(
  { config, print }: ResetOptions,
  source: SourceConfig,
  now: CheckpointedSource,
  positions: ReadonlyMap<string, ResetPosition>,
): void {
  let readFrom = Number.NEGATIVE_INFINITY
  for (const [name, to] of positions) {
    readFrom = Math.max(readFrom, to.readFrom)
    const from = now.positions.get(name)?.offset
    const unit = source.type === 'file' ? 'bytes' : 'records'
    const change = from === undefined ? 'new' : changeText(to.offset - from, unit)
    print(`  ${source.name} ${name}: ${from ?? '-'} → ${to.offset} (${change})\n`)
  }
  const start = Number.isFinite(readFrom) ? new Date(readFrom).toISOString() : 'the beginning'
  const end = Number.isFinite(now.watermark) ? new Date(now.watermark).toISOString() : 'now'
  for (const metric of config.metrics.filter((one) => one.source === source.name)) {
    const size = formatDuration(metric.window.sizeMs)
    const span = now.watermark - readFrom
    const windows = Number.isFinite(span)
      ? Math.max(0, Math.floor(span / metric.window.slideMs))
      : undefined
    const many = windows === undefined ? 'windows' : `about ${windows} windows`
    print(
      windows === 0
        ? `  ${metric.name}: windows of ${size} that are open now are partial and not written\n`
        : `  ${metric.name}: ${many} of ${size} from ${start} to ${end} are counted again and written anew; those that began before are partial and not written\n`,
    )
  }
}

function changeText(by: number, unit: string): string {
  if (by === 0) return 'stays'
  return by < 0 ? `${-by} ${unit} read again` : `${by} ${unit} skipped`
}
