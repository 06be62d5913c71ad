import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFile, mkdtemp, open, readdir, rm, truncate } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import type { LogFile, OpenLogFile } from '../../../src/ingest/http-log-scan.ts'
import { HttpSource, type HttpSourceOptions } from '../../../src/ingest/http-source.ts'
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
import { VirtualClock } from '../../support/virtual-clock.ts'

const root = await mkdtemp(join(tmpdir(), 'warden-http-source-'))
after(() => rm(root, { recursive: true }))
const directory = (): Promise<string> => mkdtemp(join(root, 'log-'))

const telemetry = () => ({
  clock: new SystemClock(),
  logger: new RecordingLogger(),
  metrics: new RecordingMetrics(),
})

async function opened(
  t: TestContext,
  options: Partial<HttpSourceOptions> & { readonly directory: string },
  positions: ReadonlyMap<string, PartitionPosition> = new Map(),
  parts: ConstructorParameters<typeof HttpSource>[1] = telemetry(),
): Promise<HttpSource> {
  const source = new HttpSource({ name: 'events', host: '127.0.0.1', port: 0, ...options }, parts)
  t.after(() => source.close())
  await source.open(positions)
  return source
}

async function post(
  to: HttpSource | number,
  body: string | Buffer,
  headers: Record<string, string> = {},
): Promise<{ status: number; body: Record<string, unknown>; headers: Headers }> {
  const port = typeof to === 'number' ? to : to.address.port
  const response = await fetch(`http://127.0.0.1:${port}/events`, {
    method: 'POST',
    body,
    headers: { 'content-type': 'application/json', ...headers },
  })
  const answer = (await response.json()) as Record<string, unknown>
  return { status: response.status, body: answer, headers: response.headers }
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

const event = (n: number): string => `{"n":${n}}`
const events = (from: number, to: number): string[] =>
  Array.from({ length: to - from }, (_, i) => event(from + i))

sourceContract('http source', {
  async medium(records) {
    const path = await directory()
    const options = { name: 'events', host: '127.0.0.1', port: 0, directory: path }
    const small = { segmentBytes: 600, batchBytes: 64, bufferBytes: 500 }
    const writer = new HttpSource({ ...options, ...small }, telemetry())
    await writer.open(new Map())
    for (let n = 0; n < records; n += 10) await post(writer, `[${events(n, n + 10).join()}]`)
    await writer.close()
    return {
      expected: new Map([['0', events(0, Math.ceil(records / 10) * 10)]]),
      source: () => new HttpSource({ ...options, ...small }, telemetry()),
      dispose: async () => {},
    }
  },
})

describe('http source', () => {
  it('takes an object, an array, NDJSON and gzip, and answers how many', async (t) => {
    const source = await opened(t, { directory: await directory() })
    assert.deepEqual((await post(source, event(0))).body, { accepted: 1 })
    assert.deepEqual((await post(source, `[\n${event(1)},\n${event(2)}]`)).body, { accepted: 2 })
    const ndjson = { 'content-type': 'application/x-ndjson' }
    assert.deepEqual((await post(source, `${event(3)}\n${event(4)}\n`, ndjson)).body, {
      accepted: 2,
    })
    const gzip = { ...ndjson, 'content-encoding': 'gzip' }
    assert.deepEqual((await post(source, gzipSync(events(5, 8).join('\n')), gzip)).body, {
      accepted: 3,
    })
    assert.deepEqual(await take(source, 8), events(0, 8))
    await untilCaughtUp(source)
  })

  it('stamps events with their arrival', async (t) => {
    const clock = new VirtualClock()
    const source = await opened(t, { directory: await directory() }, new Map(), {
      ...telemetry(),
      clock,
    })
    await clock.advance(5000)
    await post(source, event(1))
    await clock.advance(5000)
    assert.equal((await nextBatch(source))?.recordTimestamp, clock.now() - 5000)
  })

  it('refuses what it can’t take, and takes nothing of it', async (t) => {
    const source = await opened(t, { directory: await directory(), maxBodyBytes: 1000 })
    const invalid = await post(source, `${event(1)}\n{"n":\n${event(3)}`)
    assert.equal(invalid.status, 400)
    assert.equal(invalid.body.document, 2)
    assert.equal((await post(source, `[${event(1).repeat(2)}]`)).status, 400)
    assert.equal((await post(source, '')).status, 400)
    assert.equal((await post(source, `{"a":"${'x'.repeat(2000)}"}`)).status, 413)
    const bomb = gzipSync(`{"a":"${'x'.repeat(2000)}"}`)
    assert.equal((await post(source, bomb, { 'content-encoding': 'gzip' })).status, 413)
    assert.equal((await post(source, '{}', { 'content-encoding': 'gzip' })).status, 400)
    assert.equal((await post(source, '{}', { 'content-encoding': 'br' })).status, 415)
    assert.equal((await post(source, '{}', { 'idempotency-key': 'k'.repeat(2000) })).status, 400)
    await post(source, event(9))
    assert.deepEqual(await take(source, 1), [event(9)])
  })

  it('listens beyond loopback only with a token, and lets in only who shows it', async (t) => {
    const path = await directory()
    const options = { name: 'events', host: '0.0.0.0', port: 0, directory: path }
    assert.throws(() => new HttpSource(options, telemetry()), { code: 'config_invalid' })
    const source = await opened(t, { directory: path, host: '0.0.0.0', token: 'secret' })
    assert.equal((await post(source, event(1))).status, 401)
    assert.equal((await post(source, event(1), { authorization: 'Bearer wrong' })).status, 401)
    assert.equal((await post(source, event(1), { authorization: 'Bearer secret' })).status, 200)
  })

  it('answers 429 when the log is full, and takes events again after a checkpoint', async (t) => {
    const source = await opened(t, { directory: await directory(), maxLogBytes: 2000 })
    let accepted = 0
    let answer = await post(source, event(0))
    while (answer.status === 200) {
      accepted += 1
      answer = await post(source, event(accepted))
    }
    assert.equal(answer.status, 429)
    assert.equal(answer.headers.get('retry-after'), '10')
    assert.deepEqual(await take(source, accepted), events(0, accepted))
    assert.equal((await post(source, event(0))).status, 429)
    await source.checkpointed(positionsOf(source))
    assert.equal((await post(source, event(accepted))).status, 200)
    assert.deepEqual(await take(source, 1), [event(accepted)])
  })

  it('loses nothing of what was acknowledged before kill -9', async (t) => {
    const path = await directory()
    const script = fileURLToPath(new URL('../../support/http-source-child.ts', import.meta.url))
    const child = spawn(process.execPath, ['--import', 'tsx', script, path], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    t.after(() => child.kill('SIGKILL'))
    const [line] = await once(child.stdout, 'data')
    const port = Number(String(line))
    const acknowledged = new Set<string>()
    let next = 0
    const client = async (): Promise<void> => {
      for (;;) {
        const mine = event(next)
        next += 1
        const answer = await post(port, mine).catch(() => undefined)
        if (answer?.status !== 200) return
        acknowledged.add(mine)
        if (acknowledged.size === 300) child.kill('SIGKILL')
      }
    }
    await Promise.all(Array.from({ length: 16 }, client))
    assert.ok(acknowledged.size >= 300)
    const source = await opened(t, { directory: path })
    const read: string[] = []
    while (source.partitions()[0]?.lag !== 0) read.push(...(await take(source, 1)))
    assert.deepEqual(
      [...acknowledged].filter((each) => !read.includes(each)),
      [],
    )
    assert.equal(new Set(read).size, read.length)
    assert.ok(read.length <= next)
  })

  it('cuts a torn end, and goes on after it', async (t) => {
    const path = await directory()
    const first = await opened(t, { directory: path })
    await post(first, event(1))
    await post(first, event(2))
    await first.close()
    const log = join(path, `${'0'.repeat(20)}.log`)
    const file = await open(log)
    const { size } = await file.stat()
    await file.close()
    for (const tear of [() => truncate(log, size - 3), () => appendFile(log, 'WLB1 and no more')]) {
      await tear()
      const parts = telemetry()
      const source = await opened(t, { directory: path }, new Map(), parts)
      assert.deepEqual(await take(source, 1), [event(1)])
      assert.match(parts.logger.messages('warn').join(), /torn/)
      await post(source, event(3))
      assert.deepEqual(await take(source, 1), [event(3)])
      await source.close()
      await truncate(log, size / 2)
      await (await opened(t, { directory: path })).close()
    }
  })

  it('refuses to start over damage in the middle of the log', async (t) => {
    const path = await directory()
    const first = await opened(t, { directory: path })
    for (const n of [1, 2, 3]) await post(first, event(n))
    await first.close()
    const file = await open(join(path, `${'0'.repeat(20)}.log`), 'r+')
    await file.write('X', 60)
    await file.close()
    await assert.rejects(opened(t, { directory: path }), { code: 'state_corrupt' })
  })

  it('acknowledges a repeat without taking it, at once, after deletion and after a restart, for 24 h', async (t) => {
    const path = await directory()
    const clock = new VirtualClock()
    const parts = { ...telemetry(), clock }
    const options = { directory: path, segmentBytes: 200 }
    const first = await opened(t, options, new Map(), parts)
    const key = (n: number) => ({ 'idempotency-key': `key ${n}` })
    const together = await Promise.all([1, 2, 3].map(() => post(first, event(0), key(0))))
    assert.equal(together.filter((each) => each.body.duplicate === true).length, 2)
    assert.ok(together.every((each) => each.status === 200))
    for (let n = 1; n < 8; n += 1)
      assert.deepEqual((await post(first, event(n), key(n))).body, { accepted: 1 })
    assert.deepEqual(await take(first, 8), events(0, 8))
    await first.checkpointed(positionsOf(first))
    const names = await readdir(path)
    assert.ok(names.some((name) => name.endsWith('.keys')))
    assert.ok(!names.includes(`${'0'.repeat(20)}.log`))
    const positions = positionsOf(first)
    await first.close()
    const again = await opened(t, options, positions, parts)
    for (let n = 0; n < 8; n += 1)
      assert.equal((await post(again, event(n), key(n))).body.duplicate, true)
    assert.equal(again.partitions()[0]?.lag, 0)
    await clock.advance(24 * 3_600_000)
    assert.deepEqual((await post(again, event(8), key(0))).body, { accepted: 1 })
    assert.deepEqual(await take(again, 1), [event(8)])
    await again.checkpointed(positionsOf(again))
  })

  it('answers 503 when the disk is full, keeps what it acknowledged, and recovers', async (t) => {
    const path = await directory()
    const disk = { full: false, written: 0 }
    const openFile: OpenLogFile = async (name, flags) => {
      const file = await open(name, flags)
      const failing: Pick<LogFile, 'write'> = {
        write: (source, start, length, position) => {
          if (!disk.full) return file.write(source, start, length, position)
          // Half of it fits, as on a real disk.
          if (length > 10) return file.write(source, start, Math.floor(length / 2), position)
          return Promise.reject(
            Object.assign(new Error('ENOSPC: no space left'), { code: 'ENOSPC' }),
          )
        },
      }
      return {
        ...failing,
        read: (target, start, length, position) => file.read(target, start, length, position),
        datasync: () => file.datasync(),
        truncate: (length) => file.truncate(length),
        stat: () => file.stat(),
        close: () => file.close(),
      }
    }
    const source = await opened(t, { directory: path, openFile })
    await post(source, event(0))
    disk.full = true
    const refused = await post(source, event(1), { 'idempotency-key': 'once' })
    assert.equal(refused.status, 503)
    assert.match(source.partitions()[0]?.trouble ?? '', /ENOSPC/)
    disk.full = false
    assert.deepEqual((await post(source, event(1), { 'idempotency-key': 'once' })).body, {
      accepted: 1,
    })
    assert.equal(source.partitions()[0]?.trouble, undefined)
    assert.deepEqual(await take(source, 2), events(0, 2))
    await source.close()
    assert.deepEqual(await take(await opened(t, { directory: path }), 2), events(0, 2))
  })

  it('stops for data loss when the log is another one or ends before the checkpoint', async (t) => {
    const path = await directory()
    const source = await opened(t, { directory: path })
    await post(source, event(0))
    await take(source, 1)
    const positions = positionsOf(source)
    await source.close()
    await assert.rejects(opened(t, { directory: await directory() }, positions), {
      code: 'data_loss',
    })
    await truncate(join(path, `${'0'.repeat(20)}.log`), 0)
    await assert.rejects(opened(t, { directory: path }, positions), { code: 'data_loss' })
  })

  it('calls windows before its first start partial, unless a whole history is posted', async (t) => {
    const path = await directory()
    const before = Date.now()
    const source = await opened(t, { directory: path })
    const from = source.partitions()[0]?.readFrom ?? 0
    assert.ok(from >= before && from <= Date.now())
    const positions = positionsOf(source)
    await source.close()
    const again = await opened(t, { directory: path }, positions)
    assert.equal(again.partitions()[0]?.readFrom, from)
    const whole = await opened(t, { directory: await directory(), wholeHistory: true })
    assert.equal(whole.partitions()[0]?.readFrom, Number.NEGATIVE_INFINITY)
  })
})
