import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { gzipSync } from 'node:zlib'
import { ask, type StoreAnswer, type StoreRequest } from '../../support/http-answer.ts'
import { type StoreServer, startStoreServer } from '../../support/store-server.ts'
import { VirtualClock } from '../../support/virtual-clock.ts'

/** 2026-11-20T00:00:00Z in seconds. */
const DAY = 1_795_132_800
const NOW = (DAY + 36_000) * 1_000

const point = { metric: 'm', timestamp: DAY, value: '1.5', tags: { host: 'a' } }

describe('the HTTP API of the store', () => {
  let server: StoreServer
  const request = (one: StoreRequest): Promise<StoreAnswer> => ask(server.url, one)
  const put = (body: unknown, parameters = ''): Promise<StoreAnswer> =>
    request({ path: `/api/put?${parameters}`, method: 'POST', body })
  const dps = async (m: string, more = ''): Promise<unknown> => {
    const path = `/api/query?start=${DAY}&end=${DAY + 7_200}&m=${encodeURIComponent(m)}${more}`
    const { status, body } = await request({ path })
    assert.equal(status, 200, JSON.stringify(body))
    return (body as { dps: unknown }[]).map((series) => series.dps)
  }
  const message = ({ body }: StoreAnswer): string =>
    (body as { error: { message: string } }).error.message

  before(async () => {
    server = await startStoreServer(new VirtualClock(NOW), {
      maxPoints: 5_000,
      maxSeries: 50,
      bodyBytes: 4_096,
      inflatedBytes: 1_000_000,
    })
  })
  after(() => server.close())

  it('a plain put is answered with 204 and nothing', async () => {
    assert.deepEqual(await put(point), { status: 204, body: undefined })
  })

  it('good points of a put with bad ones are stored, the bad ones named', async () => {
    const good = { ...point, metric: 'partial' }
    const answer = await put(
      [good, { ...good, value: 'abc' }, { ...good, tags: {} }, null],
      'details',
    )
    assert.deepEqual(answer, {
      status: 400,
      body: {
        success: 1,
        failed: 3,
        errors: [
          { error: 'Unable to parse value to a number', datapoint: { ...good, value: 'abc' } },
          { error: 'Missing tags', datapoint: { ...good, tags: {} } },
          { error: 'Unexpected null datapoint encountered in set.', datapoint: null },
        ],
      },
    })
    assert.deepEqual(await dps('sum:partial'), [{ [DAY]: 1.5 }])
  })

  it('a point of a wrong JSON type refuses the whole put', async () => {
    const whole = { ...point, metric: 'whole' }
    const answer = await put([whole, { ...whole, value: {} }], 'details')
    assert.equal(answer.status, 400)
    assert.equal(message(answer), 'Unable to parse the given JSON')
    assert.equal(server.store.index.names.metrics.idOf('whole'), undefined)
  })

  it('names of every script are kept apart, found and completed', async () => {
    await put([
      { ...point, metric: '温度', tags: { 城市: '上海' } },
      { ...point, metric: '湿度', value: '2.5', tags: { 城市: '北京' } },
      { ...point, metric: 'นับ', value: '3.5', tags: { host: 'ที่' } },
    ])
    assert.deepEqual(await dps('sum:温度'), [{ [DAY]: 1.5 }])
    assert.deepEqual(await dps('sum:湿度{城市=北京}'), [{ [DAY]: 2.5 }])
    assert.deepEqual(await dps('sum:นับ{host=*}'), [{ [DAY]: 3.5 }])
    const suggested = await request({ path: '/api/suggest?type=metrics&q=湿' })
    assert.deepEqual(suggested.body, ['湿度'])
  })

  it('a point written again, in another encoding, has the newest value', async () => {
    for (const value of [5, '5.5', 1_000, '7.25']) await put({ ...point, metric: 'again', value })
    assert.deepEqual(await dps('sum:again'), [{ [DAY]: 7.25 }])
  })

  it('a gzip body is read, also in chunks', async () => {
    const body = gzipSync(JSON.stringify({ ...point, metric: 'zipped' }))
    const headers = { 'content-encoding': 'gzip' }
    const answer = await request({ path: '/api/put?summary', method: 'POST', body, headers })
    assert.deepEqual(answer, { status: 200, body: { success: 1, failed: 0 } })
  })

  it('a body that is not the gzip it claims to be gets a 400', async () => {
    const headers = { 'content-encoding': 'gzip' }
    const answer = await request({ path: '/api/put', method: 'POST', body: '[]', headers })
    assert.equal(answer.status, 400)
    assert.match(message(answer), /not gzip/)
  })

  it('a body above the limit gets a 413, on the wire or inflated', async () => {
    const big = JSON.stringify({ ...point, foo: 'x'.repeat(2_000_000) })
    const plain = await request({ path: '/api/put', method: 'POST', body: big })
    const headers = { 'content-encoding': 'gzip' }
    const zipped = await request({ path: '/api/put', method: 'POST', body: gzipSync(big), headers })
    assert.deepEqual([plain.status, zipped.status], [413, 413])
  })

  it('a query of more points or series than allowed gets a 413', async () => {
    const wide = Array.from({ length: 60 }, (_, at) => ({
      metric: 'wide',
      tags: { host: `h${at}` },
      timeMs: DAY * 1_000,
      value: 1,
      integer: false,
      incarnation: -1,
      revision: 0,
    }))
    const long = Array.from({ length: 6_000 }, (_, at) => ({
      ...(wide[0] as (typeof wide)[number]),
      metric: 'long',
      timeMs: DAY * 1_000 + at * 100,
    }))
    await server.store.write([...wide, ...long])
    for (const metric of ['wide', 'long']) {
      const answer = await request({ path: `/api/query?start=${DAY - 1}&m=sum:${metric}` })
      assert.equal(answer.status, 413)
      assert.match(message(answer), /limit of/)
    }
  })

  it('"delete" in a query is refused and deletes nothing', async () => {
    await put({ ...point, metric: 'kept' })
    const queries = [{ metric: 'kept', aggregator: 'sum' }]
    const body = { start: DAY - 1, queries, delete: true }
    const answer = await request({ path: '/api/query', body })
    assert.equal(answer.status, 400)
    assert.match(message(answer), /delete/i)
    assert.deepEqual(await dps('sum:kept'), [{ [DAY]: 1.5 }])
  })

  it('a relative start counts back from now', async () => {
    const points = [1, 2, 3].map((hours) => ({
      ...point,
      metric: 'recent',
      timestamp: NOW / 1_000 - hours * 3_600 + 60,
      value: `${hours}.5`,
    }))
    await put(points)
    const answer = await request({ path: '/api/query?start=2h-ago&m=sum:recent' })
    assert.deepEqual(Object.values((answer.body as { dps: object }[])[0]?.dps ?? {}), [2.5, 1.5])
  })

  it('the last point of a series is found by a part of its tags', async () => {
    await put([
      { ...point, metric: 'last', tags: { host: 'a', dc: 'x' } },
      { ...point, metric: 'last', timestamp: DAY + 60, value: '3', tags: { host: 'a', dc: 'x' } },
    ])
    const path = '/api/query/last?timeseries=last{host=a}&resolve'
    const [found] = (await request({ path })).body as { tsuid: string }[]
    const { tsuid, ...rest } = found ?? { tsuid: '' }
    assert.deepEqual(rest, {
      metric: 'last',
      tags: { host: 'a', dc: 'x' },
      timestamp: (DAY + 60) * 1_000,
      value: '3',
    })
    const byTsuid = await request({ path: `/api/query/last?tsuids=${tsuid}` })
    assert.deepEqual(byTsuid.body, [{ timestamp: (DAY + 60) * 1_000, value: '3', tsuid }])
    const old = await request({ path: `${path}&back_scan=2` })
    assert.deepEqual(old.body, [])
  })

  it('an annotation is kept, changed in part, shown with its series, and removed', async () => {
    await put({ ...point, metric: 'noted' })
    const lookup = await request({ path: '/api/search/lookup?m=noted' })
    const tsuid = (lookup.body as { results: { tsuid: string }[] }).results[0]?.tsuid
    const address = `/api/annotation?start_time=${DAY}&tsuid=${tsuid}`
    await request({
      path: '/api/annotation',
      body: { startTime: DAY, tsuid, description: 'deploy' },
    })
    await request({ path: '/api/annotation', body: { startTime: DAY, tsuid, notes: 'v2' } })
    const note = { tsuid, description: 'deploy', notes: 'v2', startTime: DAY, endTime: 0 }
    assert.deepEqual(await request({ path: address }), { status: 200, body: note })
    const shown = await request({ path: `/api/query?start=${DAY - 60}&m=sum:noted` })
    assert.deepEqual((shown.body as { annotations: unknown }[])[0]?.annotations, [note])
    const removed = await request({ path: address, method: 'DELETE' })
    assert.equal(removed.status, 204)
    assert.equal((await request({ path: address })).status, 404)
  })

  it('global annotations come with every series, when asked for', async () => {
    await put({ ...point, metric: 'global' })
    await request({ path: '/api/annotation', body: { startTime: DAY + 5, description: 'all' } })
    const queries = [{ metric: 'global', aggregator: 'sum' }]
    const answer = async (globalAnnotations: boolean): Promise<unknown> => {
      const body = { start: DAY - 60, queries, globalAnnotations }
      const [series] = (await request({ path: '/api/query', body })).body as object[]
      return series !== undefined && 'globalAnnotations' in series
    }
    assert.deepEqual([await answer(true), await answer(false)], [true, false])
  })

  it('what Grafana asks for is there', async () => {
    const health = await request({ path: '/api/suggest?q=cpu&type=metrics' })
    assert.equal(health.status, 200)
    const aggregators = (await request({ path: '/api/aggregators' })).body as string[]
    for (const name of ['sum', 'avg', 'zimsum', 'none', 'p99'])
      assert.ok(aggregators.includes(name))
    const filters = (await request({ path: '/api/config/filters' })).body as object
    assert.equal(Object.keys(filters).length, 7)
    const version = (await request({ path: '/api/version' })).body as { version: string }
    assert.match(version.version, /^2\.4/)
  })

  it('a failed write is a 500 in the form of OpenTSDB, and a line in the log', async () => {
    const { write } = server.store
    server.store.write = () => Promise.reject(new Error('no space left'))
    const answer = await put(point, 'details').finally(() => {
      server.store.write = write
    })
    assert.equal(answer.status, 500)
    assert.equal(message(answer), 'no space left')
    assert.equal(server.logger.lines.filter((line) => line.level === 'error').length, 1)
  })
})
