import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import { cli } from '../../../src/cli.ts'
import { epochMs } from '../../../src/core/time.ts'
import { Outbox } from '../../../src/sink/outbox.ts'
import { encodeName } from '../../../src/sink/point-names.ts'
import type { DataPoint } from '../../../src/sink/sink.ts'
import { LmdbStateStore } from '../../../src/state/lmdb-state-store.ts'
import { FakeOpentsdb, storedKey } from '../../support/fake-opentsdb.ts'

const timestamp = Date.UTC(2026, 10, 20, 14) / 1_000

const point = (series: string, value: number, revision = 0): DataPoint => ({
  metric: 'loan.count',
  tags: { product: encodeName(series) },
  timestamp,
  value,
  incarnation: 1,
  revision,
})

const refused = (one: DataPoint, sink = 'tsdb') =>
  JSON.stringify({ reason: 'refused_by_sink', detail: 'Unexpected exception', sink, point: one })

const garbage = JSON.stringify({
  reason: 'bad_json',
  source: 'orders',
  partition: 'loan-events-3',
  offset: 1234,
  value: '{"x',
})

describe('warden dlq', () => {
  let root: string
  let directory: string
  let server: FakeOpentsdb
  let tests = 0

  before(() => {
    root = mkdtempSync(join(tmpdir(), 'warden-dlq-'))
  })
  after(() => rmSync(root, { recursive: true, force: true }))
  beforeEach(async () => {
    directory = join(root, String(tests++))
    mkdirSync(directory)
    server = new FakeOpentsdb()
    await server.start()
  })
  afterEach(() => server.stop())

  /** One command line on a job whose dead letters are these lines. */
  async function dlq(...args: readonly string[]) {
    let out = ''
    let err = ''
    const [action = '', ...rest] = args
    const code = await cli(['dlq', action, '-c', join(directory, 'warden.json'), ...rest], {
      out: (text) => {
        out += text
      },
      err: (text) => {
        err += text
      },
      env: {},
      directory,
      stop: AbortSignal.timeout(30_000),
    })
    return { code, out, err }
  }

  function job(lines: readonly string[]): void {
    const config = {
      job: 'lending',
      stateDir: './state',
      sources: {
        orders: { type: 'file', path: './in.jsonl', event: { time: 'eventTime', user: 'userId' } },
      },
      metrics: { loan: { window: { size: '1h' }, aggregates: ['count'] } },
      sinks: { tsdb: { type: 'opentsdb', url: server.url, timeout: '5s' } },
      deadLetters: { type: 'file', path: './dead.jsonl' },
    }
    writeFileSync(join(directory, 'warden.json'), JSON.stringify(config))
    writeFileSync(join(directory, 'dead.jsonl'), lines.map((line) => `${line}\n`).join(''))
  }

  const stored = () =>
    [...server.stored.values()].map(({ metric, tags, value }) => [metric, tags.product, value])

  it('lists what there is, by line, with its place and reason, and how many of each', async () => {
    job([garbage, refused(point('温度', 5)), garbage])
    writeFileSync(join(directory, 'dead.jsonl'), '{"reason":"half', { flag: 'a' })
    const { code, out } = await dlq('list')
    assert.equal(code, 0)
    assert.deepEqual(out.trim().split('\n'), [
      '1  bad_json  orders/loan-events-3/1234',
      '2  refused_by_sink  tsdb: loan.count{product=_x6e29-5ea6_}@2026-11-20T14:00:00Z  Unexpected exception',
      '3  bad_json  orders/loan-events-3/1234',
      '2 bad_json',
      '1 refused_by_sink',
    ])
    assert.match((await dlq('list', '--reason', 'bad_json', '--limit', '1')).out, /^3 {2}bad_json/)
    assert.equal((await dlq('list', '--sink', 'other')).out, 'no dead letters\n')
  })

  it('shows one in full, with what its names stand for', async () => {
    job([garbage, refused(point('温度', 5))])
    const { out } = await dlq('show', '2')
    assert.match(out, /"value": 5/)
    assert.match(out, /^product: 温度$/m)
    const missing = await dlq('show', '9')
    assert.equal(missing.code, 2)
    assert.match(missing.err, /no dead letter 9/)
  })

  it('writes refused points once more under the sink’s own names, and never twice', async () => {
    job([garbage, refused(point('a', 5)), refused(point('b', 6))])
    const first = await dlq('redrive')
    assert.equal(first.code, 0, first.out + first.err)
    assert.deepEqual(stored(), [
      ['warden.loan.count', 'a', '5.0'],
      ['warden.loan.count', 'b', '6.0'],
    ])
    assert.match((await dlq('list')).out, /2 refused_by_sink, 2 of them redriven/)
    assert.equal(
      (await dlq('redrive')).out,
      '1 records that could not be read or counted stay; warden dlq show says more\nnothing to redrive\n',
    )
    assert.equal(server.requests.length, 1)
  })

  it('says of a record that it can’t be redriven, and why', async () => {
    job([garbage])
    const { code, out } = await dlq('redrive', '1')
    assert.equal(code, 1)
    assert.match(out, /^1 {2}bad_json: a record, no point: .* sent again as a new event$/m)
    assert.match((await dlq('show', '1')).out, /"value": "\{\\"x"[\s\S]*a record, no point/)
    assert.equal((await dlq('redrive')).code, 0)
  })

  it('works on a copy of the topic that letters go to, and says how to make one', async () => {
    job([])
    const config = JSON.parse(readFileSync(join(directory, 'warden.json'), 'utf8'))
    const brokers = ['k1:9092', 'k2:9092']
    const deadLetters = { type: 'kafka', topic: 'dead', brokers }
    writeFileSync(join(directory, 'warden.json'), JSON.stringify({ ...config, deadLetters }))
    const without = await dlq('list')
    assert.equal(without.code, 2)
    assert.match(
      without.err,
      /topic dead.*--file.*\n +kafka-console-consumer --bootstrap-server k1:9092,k2:9092 --topic dead /,
    )
    // A topic is at least once: the same letter may be there twice.
    const copy = join(directory, 'letters.jsonl')
    const letters = [garbage, refused(point('a', 5)), refused(point('a', 5))]
    writeFileSync(copy, letters.map((line) => `${line}\n`).join(''))
    assert.match((await dlq('list', '--file', copy)).out, /^2 refused_by_sink$/m)
    assert.equal((await dlq('redrive', '--file', copy)).code, 0)
    assert.deepEqual(stored(), [['warden.loan.count', 'a', '5.0']])
    assert.match((await dlq('list', '--file', copy)).out, /2 refused_by_sink, 2 of them redriven/)
    assert.match((await dlq('list', '--file', `${copy}x`)).err, /there is no file/)
  })

  it('writes only those that are named', async () => {
    job([refused(point('a', 5)), refused(point('b', 6))])
    assert.equal((await dlq('redrive', '2')).code, 0)
    assert.deepEqual(stored(), [['warden.loan.count', 'b', '6.0']])
  })

  it('writes the newest of a point, and nothing over what another revision left in the store', async () => {
    job([refused(point('a', 5, 3)), refused(point('a', 4, 2)), refused(point('b', 1))])
    const held = { metric: 'warden.loan.count', tags: { product: 'b' }, timestamp, value: '9.0' }
    server.stored.set(storedKey(held), held)
    const { code, out } = await dlq('redrive')
    assert.equal(code, 1, out)
    assert.match(out, /3 {2}kept: the store has 9, this is 1; --overwrite writes it/)
    assert.match(out, /tsdb: 1 written, 1 settled already, 1 left/)
    const values = () =>
      stored()
        .map(([, product, value]) => `${product}=${value}`)
        .sort()
    assert.deepEqual(values(), ['a=5.0', 'b=9.0'])
    assert.equal((await dlq('redrive', '--overwrite')).code, 0)
    assert.deepEqual(values(), ['a=5.0', 'b=1.0'])
  })

  it('leaves a point alone of which a newer value waits in the outbox', async () => {
    job([refused(point('a', 5, 3))])
    const state = new LmdbStateStore(join(directory, 'state', 'state'))
    const outbox = new Outbox(state, { sinks: ['tsdb'], maxBytes: 1e9 })
    await state.commit(outbox.append([point('a', 7, 4)], epochMs(1)))
    outbox.committed()
    await state.close()
    const { code, out } = await dlq('redrive')
    assert.equal(code, 0)
    assert.match(out, /1 {2}settled: a newer value waits/)
    assert.deepEqual(stored(), [])
  })

  it('says what is refused again, and keeps it', async () => {
    job([refused(point('a', 5)), refused(point('b', 6))])
    server.behave = () => ({
      kind: 'put',
      fault: ({ tags }) => (tags.product === 'a' ? 'Too many tags' : undefined),
    })
    const { code, out } = await dlq('redrive')
    assert.equal(code, 1)
    assert.match(out, /1 {2}refused: loan.count\{product=a\}@.*: Too many tags/)
    assert.match((await dlq('list')).out, /2 refused_by_sink, 1 of them redriven/)
  })

  it('touches nothing while a Warden runs on the state', async () => {
    job([refused(point('a', 5))])
    mkdirSync(join(directory, 'state', 'state'), { recursive: true })
    writeFileSync(join(directory, 'state', 'state', 'LOCK'), String(process.ppid))
    const { code, err } = await dlq('redrive')
    assert.equal(code, 1, err)
    assert.match(err, new RegExp(String(process.ppid)))
    assert.deepEqual(stored(), [])
    assert.ok(readFileSync(join(directory, 'dead.jsonl'), 'utf8').length > 0)
  })
})
