import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'node:test'
import {
  OpentsdbSink,
  type OpentsdbSinkOptions,
  opentsdbSinkOptions,
} from '../../../src/sink/opentsdb-sink.ts'
import type { DataPoint } from '../../../src/sink/sink.ts'
import { contractPoints } from '../../contract/sink.ts'
import { FakeOpentsdb, type PutAnswer } from '../../support/fake-opentsdb.ts'
import { until } from '../../support/until.ts'

const never = new AbortController().signal
const kinds = (outcomes: readonly { readonly kind: string }[]) => outcomes.map(({ kind }) => kind)

describe('OpentsdbSink against a server that misbehaves', () => {
  let server: FakeOpentsdb
  let sink: OpentsdbSink | undefined

  const connect = async (options: Partial<OpentsdbSinkOptions> = {}) => {
    await sink?.close()
    sink = new OpentsdbSink(
      opentsdbSinkOptions({ name: 'tsdb', url: server.url, timeoutMs: 5_000, ...options }),
    )
  }
  const write = (points: readonly DataPoint[], signal = never) => {
    assert.ok(sink)
    return sink.write(points, signal)
  }
  const answers = (...script: PutAnswer[]) => {
    server.behave = () => script.shift()
  }

  beforeEach(async () => {
    server = new FakeOpentsdb()
    await server.start()
    await connect()
  })

  afterEach(async () => {
    await sink?.close()
    sink = undefined
    await server.stop()
  })

  it('asks for a durable answer with details, and leaves the server time to give it', async () => {
    await write(contractPoints(1))
    const [request] = server.requests
    assert.ok(request)
    assert.ok(request.query.has('sync') && request.query.has('details'))
    assert.ok(Number(request.query.get('sync_timeout')) < 5_000)
  })

  it('sends the configured headers', async () => {
    await connect({ headers: { Authorization: 'Basic eDp5' } })
    await write(contractPoints(1))
    assert.equal(server.requests[0]?.headers.authorization, 'Basic eDp5')
  })

  it('sends nothing when the right to write ends while a body is packed', async () => {
    let may = true
    await connect({ gzipFromBytes: 1, mayWrite: () => may })
    const writing = write(contractPoints(3))
    may = false
    const { outcomes } = await writing
    assert.deepEqual(kinds(outcomes), ['retry', 'retry', 'retry'])
    assert.equal(server.requests.length, 0)
  })

  it('keeps connections open', async () => {
    for (let i = 0; i < 5; i++) await write(contractPoints(1))
    assert.equal(server.connections, 1)
  })

  it('closes an idle connection before a server would', async () => {
    assert.ok(opentsdbSinkOptions({ name: 'tsdb', url: server.url }).idleMs < 5_000)
    await connect({ idleMs: 20 })
    await write(contractPoints(1))
    await until('it is closed', () => server.openConnections === 0)
    await write(contractPoints(1))
    assert.equal(server.connections, 2)
  })

  it('waits for an answer longer than it keeps idle connections', async () => {
    await connect({ idleMs: 20 })
    answers({
      kind: 'custom',
      run: (response, store) => {
        store()
        setTimeout(() => response.writeHead(204).end(), 100)
      },
    })
    assert.deepEqual(kinds((await write(contractPoints(1))).outcomes), ['written'])
  })

  it('compresses bodies above a size', async () => {
    await connect({ gzipFromBytes: 1_000 })
    await write(contractPoints(1))
    await write(contractPoints(500))
    const [small, large] = server.requests
    assert.equal(small?.headers['content-encoding'], undefined)
    assert.equal(large?.headers['content-encoding'], 'gzip')
    assert.equal(server.stored.size, 501)
  })

  it('believes a 204 to a sync put', async () => {
    answers({ kind: 'stored-204' })
    assert.deepEqual(kinds((await write(contractPoints(2))).outcomes), ['written', 'written'])
  })

  const unknown: readonly [string, PutAnswer][] = [
    ['never answers', { kind: 'hang' }],
    ['sends a body that never ends', { kind: 'slow-body' }],
    ['closes the connection', { kind: 'reset' }],
    [
      'answers 500',
      { kind: 'answer', status: 500, body: '{"error":{"code":500,"message":"oops"}}' },
    ],
    ['answers 502 in HTML', { kind: 'answer', status: 502, body: '<html>bad gateway</html>' }],
    [
      'answers 200 with half a JSON document',
      { kind: 'answer', status: 200, body: '{"success":2,"fai' },
    ],
    ['answers 200 without a body', { kind: 'answer', status: 200, body: '' }],
    [
      'counts fewer points than were sent',
      { kind: 'answer', status: 200, body: '{"success":1,"failed":0,"errors":[]}' },
    ],
    [
      'lists fewer errors than failures',
      { kind: 'answer', status: 200, body: '{"success":0,"failed":2,"errors":[]}' },
    ],
    [
      'times out as a whole',
      {
        kind: 'answer',
        status: 400,
        body: '{"error":{"code":400,"message":"The put call has timedout with 0 successful writes, 0 failed writes and 2 timed out writes."}}',
      },
    ],
    [
      'names no point among the failed',
      {
        kind: 'answer',
        status: 400,
        body: '{"error":{"code":400,"message":"One or more data points had errors"}}',
      },
    ],
    ['says that all writes timed out', { kind: 'put', fault: () => 'Write timedout' }],
    [
      'says that its storage failed',
      { kind: 'put', fault: () => 'Storage exception: Too many attempts' },
    ],
  ]
  for (const [text, answer] of unknown) {
    it(`takes the outcome for unknown when the server ${text}`, async () => {
      answers(answer)
      if (answer.kind === 'hang' || answer.kind === 'slow-body') await connect({ timeoutMs: 200 })
      const result = await write(contractPoints(2))
      assert.equal(result.failed, true)
      for (const outcome of result.outcomes) {
        assert.equal(outcome.kind, 'retry')
        assert.equal(outcome.kind === 'retry' && outcome.unknown, true)
        assert.ok(outcome.kind === 'retry' && outcome.reason.length > 5, 'it says why')
      }
      await connect()
      assert.deepEqual(kinds((await write(contractPoints(1))).outcomes), ['written'], 'and goes on')
    })
  }

  const notDone: readonly [string, PutAnswer][] = [
    ['503', { kind: 'answer', status: 503, body: 'busy' }],
    ['401', { kind: 'answer', status: 401, body: '' }],
    ['404', { kind: 'answer', status: 404, body: '<html>' }],
    ['302', { kind: 'answer', status: 302, body: '', headers: { location: '/login' } }],
    ['429', { kind: 'answer', status: 429, body: '' }],
  ]
  for (const [status, answer] of notDone) {
    it(`keeps the points when the answer is ${status}`, async () => {
      answers(answer)
      const result = await write(contractPoints(2))
      assert.equal(result.failed, true)
      for (const outcome of result.outcomes) {
        assert.deepEqual(outcome.kind === 'retry' && outcome.unknown, false)
        assert.ok(outcome.kind === 'retry' && outcome.reason.startsWith(`HTTP ${status}`))
      }
    })
  }

  it('knows that a server that is not there wrote nothing', async () => {
    await server.stop()
    const result = await write(contractPoints(1))
    assert.equal(result.failed, true)
    const [outcome] = result.outcomes
    assert.ok(outcome?.kind === 'retry' && !outcome.unknown)
    assert.match(outcome.reason, /ECONNREFUSED/)
  })

  it('passes Retry-After on, in seconds or as a date', async () => {
    const busy = (after: string): PutAnswer => ({
      kind: 'answer',
      status: 503,
      body: '',
      headers: { 'Retry-After': after },
    })
    answers(busy('7'), busy(new Date(Date.now() + 60_000).toUTCString()), busy('soon'))
    assert.equal((await write(contractPoints(1))).retryAfterMs, 7_000)
    const date = (await write(contractPoints(1))).retryAfterMs ?? 0
    assert.ok(date > 50_000 && date <= 61_000, `${date}`)
    assert.equal((await write(contractPoints(1))).retryAfterMs, undefined)
  })

  it('gives every point of a mixed batch its own verdict', async () => {
    const points = contractPoints(5)
    const faults = new Map([
      [points[1]?.tags.series, 'Storage exception: Region too busy'],
      [points[3]?.tags.series, 'Unable to parse value to a number'],
      [points[4]?.tags.series, 'Please throttle'],
    ])
    answers({ kind: 'put', fault: (point) => faults.get(point.tags.series) })
    const result = await write(points)
    assert.equal(result.failed, false)
    assert.deepEqual(kinds(result.outcomes), ['written', 'retry', 'written', 'refused', 'retry'])
    const refused = result.outcomes[3]
    assert.ok(refused?.kind === 'refused')
    assert.equal(refused.reason, 'Unable to parse value to a number')
  })

  it('finds the point that poisons a batch, and writes all others', async () => {
    const points = contractPoints(500)
    const poison = points[321]?.tags.series
    server.behave = (request) =>
      request.points.some((point) => point.tags.series === poison)
        ? {
            kind: 'answer',
            status: 400,
            body: '{"error":{"code":400,"message":"Unable to parse the given JSON"}}',
          }
        : undefined
    const result = await write(points)
    assert.equal(server.stored.size, 499)
    assert.deepEqual(
      result.outcomes.flatMap(({ kind }, i) => (kind === 'written' ? [] : [i])),
      [321],
    )
    assert.equal(result.outcomes[321]?.kind, 'refused')
    assert.equal(result.failed, false)
    assert.ok(server.requests.length < 25, `${server.requests.length} requests`)
  })

  it('never refuses a point on the word of something that is no TSD', async () => {
    answers({ kind: 'answer', status: 400, body: '<html>Bad Request</html>' })
    assert.deepEqual(kinds((await write(contractPoints(1))).outcomes), ['retry'])
  })

  it('sends less when the server cuts large bodies off again and again', async () => {
    server.maxBodyBytes = 20_000
    const points = contractPoints(500)
    assert.deepEqual(new Set(kinds((await write(points)).outcomes)), new Set(['retry']))
    const result = await write(points)
    const written = result.outcomes.filter(({ kind }) => kind === 'written').length
    assert.ok(written > 0, 'the second time it halves')
    for (let i = 0; i < 5 && server.stored.size < 500; i++) await write(points)
    assert.equal(server.stored.size, 500)
  })

  it('refuses a point that fails for an unexpected reason only when others are stored meanwhile', async () => {
    const [bad] = contractPoints(1)
    assert.ok(bad)
    server.behave = () => ({
      kind: 'put',
      fault: (point) =>
        point.tags.series === bad.tags.series ? 'Unexpected exception' : undefined,
    })
    for (let i = 0; i < 20; i++) {
      assert.deepEqual(kinds((await write([bad])).outcomes), ['retry'], 'alone it proves nothing')
    }
    const last: string[] = []
    for (let i = 0; i < 10; i++) {
      await write(contractPoints(1))
      last.push(...kinds((await write([bad])).outcomes))
    }
    assert.ok(last.includes('refused'), last.join())
    assert.equal(last[0], 'retry')
  })

  it('gives up at once when it is stopped', async () => {
    await connect({ timeoutMs: 60_000 })
    server.behave = () => ({ kind: 'hang' })
    const stop = new AbortController()
    const writing = write(contractPoints(1), stop.signal)
    stop.abort()
    const result = await writing
    assert.deepEqual(kinds(result.outcomes), ['retry'])
  })
})
