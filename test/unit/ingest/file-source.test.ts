import assert from 'node:assert/strict'
import {
  appendFile,
  copyFile,
  mkdir,
  mkdtemp,
  rename,
  rm,
  truncate,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it, type TestContext } from 'node:test'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { FileSource, type FileSourceOptions } from '../../../src/ingest/file-source.ts'
import type { PartitionPosition, Source } from '../../../src/ingest/source.ts'
import { SystemClock } from '../../../src/system-clock.ts'
import {
  lineRecords,
  nextBatch,
  positionsOf,
  sourceContract,
  untilCaughtUp,
} from '../../contract/source.ts'
import { RecordingLogger } from '../../support/recording-logger.ts'
import { RecordingMetrics } from '../../support/recording-metrics.ts'

const root = await mkdtemp(join(tmpdir(), 'warden-file-source-'))
after(() => rm(root, { recursive: true }))

let made = 0
async function directory(): Promise<string> {
  made += 1
  const path = join(root, String(made))
  await mkdir(path)
  return path
}

const telemetry = () => ({
  clock: new SystemClock(),
  logger: new RecordingLogger(),
  metrics: new RecordingMetrics(),
})

const lines = (from: number, to: number): string[] =>
  Array.from(
    { length: to - from },
    (_, i) => `{"n":${from + i},"pad":"${'x'.repeat((i * 7) % 40)}"}`,
  )

const text = (of: readonly string[]): string => of.map((line) => `${line}\n`).join('')

const fileSource = (
  paths: string | readonly string[],
  options: Partial<FileSourceOptions> = {},
  parts = telemetry(),
): FileSource =>
  new FileSource(
    {
      name: 'events',
      paths: typeof paths === 'string' ? [paths] : paths,
      follow: false,
      partitionPerFile: false,
      pollMs: 5,
      ...options,
    },
    parts,
  )

/** Opens, and closes at the end of the test. */
async function opened(
  t: TestContext,
  source: FileSource,
  positions: ReadonlyMap<string, PartitionPosition> = new Map(),
): Promise<FileSource> {
  t.after(() => source.close())
  await source.open(positions)
  return source
}

async function take(source: Source, records: number): Promise<string[]> {
  const read: string[] = []
  while (read.length < records) {
    const batch = await nextBatch(source)
    if (batch === undefined) break
    read.push(...lineRecords(batch).map((each) => each.value))
  }
  return read
}

const takeAll = (source: Source): Promise<string[]> => take(source, Number.POSITIVE_INFINITY)

for (const follow of [false, true])
  for (const partitionPerFile of [false, true])
    sourceContract(`file source (follow ${follow}, partition per file ${partitionPerFile})`, {
      async medium(records) {
        const path = await directory()
        const third = Math.ceil(records / 3)
        const parts = [lines(0, third), lines(third, 2 * third), lines(2 * third, 3 * third)]
        const names = ['a.jsonl', 'b.jsonl.gz', 'c.jsonl']
        for (const [i, name] of names.entries()) {
          const bytes = Buffer.from(text(parts[i] ?? []))
          await writeFile(join(path, name), name.endsWith('.gz') ? gzipSync(bytes) : bytes)
        }
        const expected: Map<string, string[]> = partitionPerFile
          ? new Map(names.map((name, i) => [join(path, name), parts[i] ?? []]))
          : new Map([['0', parts.flat()]])
        const options = { follow, partitionPerFile, batchBytes: 256, bufferBytes: 1024 }
        return {
          expected,
          source: () => fileSource(join(path, '*.jsonl*'), options),
          dispose: async () => {},
        }
      },
    })

describe('file source', () => {
  it('finds files by *, ? and **, each once and in name order', async (t) => {
    const path = await directory()
    await mkdir(join(path, 'x/y'), { recursive: true })
    for (const [name, n] of [
      ['x/y/b1.log', 2],
      ['x/a1.log', 1],
      ['z1.log', 3],
      ['z10.log', 9],
      ['.h1.log', 8],
    ] as const)
      await writeFile(join(path, name), `${n}\n`)
    const source = await opened(t, fileSource([join(path, '**/?1.log'), join(path, 'z?.log')]))
    assert.deepEqual(await takeAll(source), ['1', '2', '3'])
  })

  it('refuses to run over no file at all', async (t) => {
    const path = await directory()
    await assert.rejects(opened(t, fileSource(join(path, '*.jsonl'))), { code: 'source_missing' })
  })

  it('passes garbage on untouched, and a last line without a line end', async (t) => {
    const path = join(await directory(), 'a.jsonl')
    const bytes = Buffer.from('{"a":1}\r\n\n\x00garbage\xff\n{"b"', 'latin1')
    await writeFile(path, bytes)
    const source = await opened(t, fileSource(path))
    const read: Buffer[] = []
    for (let batch = await nextBatch(source); batch !== undefined; batch = await nextBatch(source))
      read.push(Buffer.from(batch.bytes))
    assert.deepEqual(Buffer.concat(read), bytes)
  })

  it('begins at minus infinity, and at now where only what is new is wanted', async (t) => {
    const path = join(await directory(), 'a.jsonl')
    await writeFile(path, text(lines(0, 3)).concat('{"unfinished'))
    const whole = await opened(t, fileSource(path))
    assert.equal(whole.partitions()[0]?.readFrom, Number.NEGATIVE_INFINITY)
    const parts = telemetry()
    const before = Date.now()
    const latest = await opened(t, fileSource(path, { follow: true, from: 'latest' }, parts))
    const from = latest.partitions()[0]?.readFrom ?? 0
    assert.ok(from >= before && from <= Date.now())
    await appendFile(path, ' line"}\n')
    assert.deepEqual(await take(latest, 1), ['{"unfinished line"}'])
    const again = fileSource(path, { follow: true, from: 'latest' })
    await opened(t, again, positionsOf(latest))
    assert.equal(again.partitions()[0]?.readFrom, from)
  })

  it('cuts an oversized line, and stands after it', async (t) => {
    const path = join(await directory(), 'a.jsonl')
    const long = 'y'.repeat(5000)
    await writeFile(path, text(['{"n":1}', long, '{"n":2}', long]))
    const limits = { batchBytes: 64, maxLineBytes: 1000, oversizedBytes: 201 }
    const source = await opened(t, fileSource(path, limits))
    const offsets: number[] = []
    const read: string[] = []
    for (let batch = await nextBatch(source); batch !== undefined; batch = await nextBatch(source))
      for (const each of lineRecords(batch)) {
        offsets.push(each.offset)
        read.push(each.value)
      }
    assert.deepEqual(read, ['{"n":1}', 'y'.repeat(201), '{"n":2}', 'y'.repeat(201)])
    assert.deepEqual(offsets, [0, 8, 5009, 5017])
  })

  it('gives the same records for any cut of batches and any lengths of lines', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(fc.string({ maxLength: 60 }), { maxLength: 12 }), {
          minLength: 1,
          maxLength: 3,
        }),
        fc.integer({ min: 1, max: 80 }),
        fc.boolean(),
        async (files, batchBytes, gzip) => {
          const path = await directory()
          const clean = files.map((each) => each.map((line) => line.replace(/[\n\r]/g, '')))
          for (const [i, each] of clean.entries()) {
            const bytes = Buffer.from(text(each))
            await writeFile(join(path, gzip ? `${i}.gz` : `${i}`), gzip ? gzipSync(bytes) : bytes)
          }
          const source = fileSource(join(path, '*'), { batchBytes })
          await source.open(new Map())
          try {
            assert.deepEqual(await takeAll(source), clean.flat())
          } finally {
            await source.close()
          }
        },
      ),
      { numRuns: 40 },
    )
  })

  it('stops for data loss when a file that was read changed or shrank', async (t) => {
    for (const change of ['shrink', 'overwrite', 'replace', 'remove unread'] as const) {
      const path = join(await directory(), 'a.jsonl')
      await writeFile(path, text(lines(0, 20)))
      const source = await opened(t, fileSource(path, { batchBytes: 128 }))
      await take(source, change === 'remove unread' ? 1 : 20)
      const positions = positionsOf(source)
      if (change === 'shrink') await truncate(path, 100)
      if (change === 'overwrite') await writeFile(path, text(lines(100, 140)))
      if (change === 'replace') {
        await copyFile(path, `${path}.new`)
        await rename(`${path}.new`, path)
      }
      if (change === 'remove unread') await rm(path)
      await assert.rejects(opened(t, fileSource(path), positions), { code: 'data_loss' }, change)
      const parts = telemetry()
      const on = await opened(t, fileSource(path, { onDataLoss: 'continue' }, parts), positions)
      assert.equal(parts.metrics.total('warden_source_losses_total'), 1)
      assert.notEqual(on.partitions()[0]?.lost, undefined)
    }
  })

  it('lets a file that was read to its end be removed', async (t) => {
    const path = await directory()
    await writeFile(join(path, 'a'), text(lines(0, 5)))
    await writeFile(join(path, 'b'), text(lines(5, 9)))
    const source = await opened(t, fileSource(join(path, '*')))
    assert.equal((await takeAll(source)).length, 9)
    await rm(join(path, 'a'))
    await writeFile(join(path, 'c'), text(lines(9, 12)))
    const again = await opened(t, fileSource(join(path, '*')), positionsOf(source))
    assert.deepEqual(
      await takeAll(again),
      lines(9, 12).map((_, i) => lines(9, 12)[i]),
    )
  })

  it('says which gzip file breaks off', async (t) => {
    const path = join(await directory(), 'a.gz')
    const noise = Array.from({ length: 400 }, (_, i) => `{"h":"${Math.sin(i)}"}`)
    const bytes = gzipSync(text(noise))
    await writeFile(path, bytes.subarray(0, bytes.length - 200))
    const source = await opened(t, fileSource(path))
    await assert.rejects(takeAll(source), { code: 'data_loss', message: /a\.gz breaks off/ })
    const follower = await opened(t, fileSource(path, { follow: true, batchBytes: 512 }))
    const first: string[] = []
    while (follower.partitions()[0]?.trouble === undefined || first.length === 0) {
      const batch = follower.take()
      if (batch === undefined) await follower.ready(AbortSignal.timeout(10_000))
      else first.push(...lineRecords(batch).map((each) => each.value))
    }
    await appendFile(path, bytes.subarray(bytes.length - 200))
    assert.deepEqual([...first, ...(await take(follower, 400 - first.length))], noise)
  })
})

describe('file source that follows', () => {
  const follow = { follow: true } as const

  it('waits for the end of a line', async (t) => {
    const path = join(await directory(), 'app.log')
    await writeFile(path, '{"n":1}\n{"n":')
    const source = await opened(t, fileSource(path, follow))
    assert.deepEqual(await take(source, 1), ['{"n":1}'])
    await untilCaughtUp(source)
    await appendFile(path, '2}\n')
    assert.deepEqual(await take(source, 1), ['{"n":2}'])
  })

  it('takes files that appear later', async (t) => {
    const path = await directory()
    const source = await opened(t, fileSource(join(path, '*.log'), follow))
    assert.match(source.partitions()[0]?.trouble ?? '', /no file/)
    await writeFile(join(path, 'b.log'), text(lines(0, 3)))
    assert.deepEqual(await take(source, 3), lines(0, 3))
    await writeFile(join(path, 'a.log'), text(lines(3, 6)))
    assert.equal((await take(source, 3)).length, 3)
    await appendFile(join(path, 'b.log'), '{"late":1}\n')
    assert.deepEqual(await take(source, 1), ['{"late":1}'])
    assert.equal(source.partitions()[0]?.trouble, undefined)
  })

  for (const pattern of ['app.log', 'app.log*'])
    it(`loses nothing over rename and create, also while it was down (${pattern})`, async (t) => {
      const path = await directory()
      const log = join(path, 'app.log')
      await writeFile(log, text(lines(0, 10)))
      const source = await opened(t, fileSource(join(path, pattern), follow))
      const read = await take(source, 10)
      await appendFile(log, text(lines(10, 12)))
      await rename(log, `${log}.1`)
      await writeFile(log, text(lines(12, 15)))
      await appendFile(`${log}.1`, '{"written":"after the rename"}\n')
      read.push(...(await take(source, 6)))
      const positions = positionsOf(source)
      await source.close()
      await appendFile(log, text(lines(15, 17)))
      await rename(`${log}.1`, `${log}.2`)
      await rename(log, `${log}.1`)
      await writeFile(log, text(lines(17, 20)))
      const again = await opened(t, fileSource(join(path, pattern), follow), positions)
      read.push(...(await take(again, 5)))
      await untilCaughtUp(again)
      assert.equal(again.take(), undefined)
      assert.deepEqual(new Set(read).size, 21)
      assert.equal(read.length, 21)
    })

  it('reads the rest of a file that was deleted under its eyes', async (t) => {
    const log = join(await directory(), 'app.log')
    await writeFile(log, text(lines(0, 40)))
    const source = await opened(
      t,
      fileSource(log, { ...follow, batchBytes: 128, bufferBytes: 128 }),
    )
    const read = await take(source, 1)
    await rm(log)
    await writeFile(log, '{"new":1}\n')
    read.push(...(await take(source, 41 - read.length)))
    assert.deepEqual(read, [...lines(0, 40), '{"new":1}'])
  })

  it('goes on in the copy when the file was copied and truncated', async (t) => {
    const log = join(await directory(), 'app.log')
    await writeFile(log, text(lines(0, 10)))
    const source = await opened(t, fileSource(log, { ...follow, pollMs: 60_000 }))
    const read = await take(source, 10)
    const positions = positionsOf(source)
    await source.close()
    await appendFile(log, text(lines(10, 13)))
    await copyFile(log, `${log}.1`)
    await truncate(log, 0)
    await appendFile(log, text(lines(13, 15)))
    const again = await opened(t, fileSource(log, follow), positions)
    read.push(...(await take(again, 5)))
    assert.deepEqual(read.length, 15)
    assert.deepEqual(new Set(read), new Set([...lines(0, 10), ...read.slice(10)]))
  })

  it('begins anew when a file was truncated, and warns', async (t) => {
    const log = join(await directory(), 'app.log')
    await writeFile(log, text(lines(0, 10)))
    const parts = telemetry()
    const source = await opened(t, fileSource(log, follow, parts))
    assert.equal((await take(source, 10)).length, 10)
    await untilCaughtUp(source)
    await truncate(log, 0)
    await appendFile(log, '{"again":1}\n')
    assert.deepEqual(await take(source, 1), ['{"again":1}'])
    assert.match(parts.logger.messages('warn').join(), /truncated/)
  })

  it('keeps a rotated partition under the name of the file', async (t) => {
    const path = await directory()
    const log = join(path, 'app.log')
    await writeFile(log, text(lines(0, 3)))
    const source = await opened(t, fileSource(log, { ...follow, partitionPerFile: true }))
    await take(source, 3)
    await rename(log, `${log}.1`)
    await writeFile(log, text(lines(3, 5)))
    assert.equal((await take(source, 2)).length, 2)
    assert.deepEqual(
      source.partitions().map((each) => each.name),
      [log],
    )
  })

  it('forgets a rotated file after the time of grace, its unfinished last line taken', async (t) => {
    const log = join(await directory(), 'app.log')
    await writeFile(log, '{"n":1}\n{"cut')
    const source = await opened(t, fileSource(log, { ...follow, rotatedGraceMs: 20 }))
    await take(source, 1)
    await untilCaughtUp(source)
    await rename(log, `${log}.1`)
    await writeFile(log, '')
    assert.deepEqual(await take(source, 1), ['{"cut'])
    await untilCaughtUp(source)
    const { identity } = positionsOf(source).get('0') ?? assert.fail()
    assert.doesNotMatch(identity, /app\.log\.1/)
  })
})
