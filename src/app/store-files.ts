import { once } from 'node:events'
import { createReadStream, createWriteStream, existsSync, mkdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { finished } from 'node:stream/promises'
import { createGunzip, createGzip } from 'node:zlib'
import type { Config } from '../config/config.ts'
import { WardenError } from '../core/errors.ts'
import { LmdbStateStore } from '../state/lmdb-state-store.ts'
import { judgePut } from '../store/api/put-points.ts'
import { formatImportLine, parseImportLine } from '../store/import-line.ts'
import { LmdbPointStore } from '../store/lmdb-point-store.ts'
import type { StorePoint } from '../store/point-store.ts'

/** Points of one transaction of an import. */
const BATCH_POINTS = 20_000

/** Lines named when they are refused; the others are counted. */
const NAMED_LINES = 20

export interface ExportChoice {
  /** Metrics whose name begins so; empty: all. */
  readonly prefix: string
  /** Epoch ms, `fromMs ≤ time < toMs`. */
  readonly fromMs: number
  readonly toMs: number
}

const storeDirectory = (config: Config): string => join(config.stateDir, 'store')

/**
 * Copies the embedded store to a new file, also while Warden runs on it. Put in the place of `store/points.mdb`, it is the store.
 * @returns what is in the copy, which was opened and read
 * @throws WardenError `usage` when there is no store or the file exists
 */
export async function backupStore(
  config: Config,
  file: string,
): Promise<{ readonly series: number; readonly bytes: number }> {
  if (existsSync(file)) throw new WardenError('usage', `${file} exists; choose another file`)
  const store = new LmdbPointStore(storeDirectory(config), true)
  try {
    mkdirSync(dirname(file), { recursive: true })
    await store.backup(file)
  } finally {
    await store.close()
  }
  const copy = LmdbPointStore.openFile(file)
  try {
    return { series: copy.index.size, bytes: copy.sizeBytes() }
  } finally {
    await copy.close()
  }
}

/** Writes points as lines of OpenTSDB's import format, also while Warden runs; returns how many. */
export async function exportPoints(
  config: Config,
  choice: ExportChoice,
  output: Writable,
): Promise<number> {
  const store = new LmdbPointStore(storeDirectory(config), true)
  let points = 0
  try {
    for (const series of store.index.all()) {
      if (!series.metric.startsWith(choice.prefix)) continue
      const { length, times, values, integers } = store.readPoints(
        series.id,
        choice.fromMs,
        choice.toMs,
      )
      const { metric, tags } = series
      const lines = Array.from({ length }, (_, at) => {
        const [timeMs = 0, value = 0] = [times[at], values[at]]
        return formatImportLine({ metric, timeMs, value, integer: integers?.[at] === 1 }, tags)
      })
      points += length
      if (length > 0 && !output.write(`${lines.join('\n')}\n`)) await once(output, 'drain')
    }
  } finally {
    await store.close()
  }
  return points
}

/** A file to export to, compressed when its name ends in `.gz`. @throws WardenError `usage` when it exists */
export async function toFile(
  file: string,
  write: (output: Writable) => Promise<number>,
): Promise<number> {
  if (existsSync(file)) throw new WardenError('usage', `${file} exists; choose another file`)
  mkdirSync(dirname(file), { recursive: true })
  const target = createWriteStream(file, { flags: 'wx' })
  const output = file.endsWith('.gz') ? createGzip() : target
  if (output !== target) output.pipe(target)
  const points = await write(output)
  output.end()
  await finished(target)
  return points
}

export interface ImportResult {
  readonly stored: number
  readonly refused: number
  /** The first lines that were refused, each with its reason. */
  readonly problems: readonly string[]
}

/**
 * Reads lines of OpenTSDB's import format into the embedded store. Only while no Warden runs on the state; a running one takes the
 * same lines at `/api/put`.
 * @throws WardenError `state_locked`; `usage` when a file can't be read
 */
export async function importPoints(
  config: Config,
  files: readonly string[],
): Promise<ImportResult> {
  const lock = new LmdbStateStore(join(config.stateDir, 'state'))
  try {
    const store = new LmdbPointStore(storeDirectory(config))
    try {
      return await importInto(store, files)
    } finally {
      await store.close()
    }
  } finally {
    await lock.close()
  }
}

async function importInto(store: LmdbPointStore, files: readonly string[]): Promise<ImportResult> {
  let stored = 0
  let refused = 0
  const problems: string[] = []
  let batch: StorePoint[] = []
  const flush = async (): Promise<void> => {
    await store.write(batch)
    stored += batch.length
    batch = []
  }
  for (const file of files) {
    let number = 0
    for await (const line of createInterface({ input: await opened(file), crlfDelay: 1 / 0 })) {
      number++
      const parsed = parseImportLine(line)
      if (parsed === undefined) continue
      const timestamp = /^\d{1,18}$/.test(parsed.timestamp) ? Number(parsed.timestamp) : 0
      const [verdict] = judgePut({ ...parsed, timestamp })
      if (verdict?.kind === 'good') batch.push(verdict.point)
      else {
        refused++
        if (problems.length < NAMED_LINES) problems.push(`${file}:${number}: ${verdict?.error}`)
      }
      if (batch.length >= BATCH_POINTS) await flush()
    }
  }
  if (batch.length > 0) await flush()
  return { stored, refused, problems }
}

async function opened(file: string): Promise<Readable> {
  const input = createReadStream(file)
  try {
    await once(input, 'open')
  } catch (cause) {
    throw new WardenError('usage', `can't read ${file}: ${String(cause)}`, { cause })
  }
  return file.endsWith('.gz') ? input.pipe(createGunzip()) : input
}
