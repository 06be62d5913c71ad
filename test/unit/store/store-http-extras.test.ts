import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { ask } from '../../support/http-answer.ts'
import { type StoreServer, startStoreServer } from '../../support/store-server.ts'
import { VirtualClock } from '../../support/virtual-clock.ts'

/** 2026-11-20T00:00:00Z in seconds. */
const DAY = 1_795_132_800

describe('what the store answers beyond JSON puts', () => {
  let server: StoreServer
  const lines = (body: string, type = 'text/plain', more = 'details') =>
    ask(server.url, { path: `/api/put?${more}`, body, headers: { 'content-type': type } })
  const dps = async (metric: string): Promise<unknown> => {
    const path = `/api/query?start=${DAY}&end=${DAY + 7_200}&m=none:${metric}`
    const { body } = await ask(server.url, { path })
    return (body as { dps: unknown }[]).map((series) => series.dps)
  }

  before(async () => {
    server = await startStoreServer(new VirtualClock((DAY + 36_000) * 1_000))
  })
  after(() => server.close())

  it('telnet put lines are stored, whatever their content type says', async () => {
    const body = `put lines.a ${DAY} 5 host=x dc=y\r\nput lines.a ${DAY + 60}.5 1.5 host=x dc=y\n\nput lines.a ${(DAY + 60) * 1_000} 1.5 host=x dc=y\n`
    const answer = await lines(body, 'application/x-www-form-urlencoded')
    assert.equal(answer.status, 400)
    assert.deepEqual((answer.body as { success: number }).success, 2)
    assert.deepEqual(await dps('lines.a'), [{ [DAY]: 5, [DAY + 60]: 1.5 }])
  })

  it('lines to import need no put when they come as text', async () => {
    const answer = await lines(`lines.b ${DAY} 2.5 host=x\nlines.b ${DAY + 1} -3 host=x`)
    assert.deepEqual(answer, { status: 200, body: { success: 2, failed: 0, errors: [] } })
    assert.deepEqual(await dps('lines.b'), [{ [DAY]: 2.5, [DAY + 1]: -3 }])
  })

  it('a bad line is named, the others are stored', async () => {
    const answer = await lines(
      `put lines.c ${DAY} 1 host=x\nput lines.c abc 1 host=x\nput lines.c ${DAY} x host=x\nput lines.c ${DAY} 1\nput lines.c ${DAY} 1 host`,
    )
    assert.equal(answer.status, 400)
    const { success, errors } = answer.body as { success: number; errors: { error: string }[] }
    assert.equal(success, 1)
    assert.deepEqual(
      errors.map(({ error }) => error),
      [
        'Invalid timestamp',
        'Unable to parse value to a number',
        'Missing tags',
        'Invalid tag value with key [host]: empty string',
      ],
    )
  })

  it('series are downsampled before they are merged', async () => {
    const hour = 3_600
    const points = ['x', 'y'].flatMap((host) =>
      [0, 1, 2, 3].map((at) => `down ${DAY + (at * hour) / 2} ${at + 1} host=${host}`),
    )
    assert.equal((await lines(points.join('\n'))).status, 200)
    const by = async (m: string): Promise<unknown> => {
      const path = `/api/query?start=${DAY}&end=${DAY + 2 * hour - 1}&m=${m}:down`
      return ((await ask(server.url, { path })).body as { dps: unknown }[]).map(({ dps }) => dps)
    }
    assert.deepEqual(await by('sum:1h-avg'), [{ [DAY]: 3, [DAY + hour]: 7 }])
    assert.deepEqual(await by('sum:30m-sum'), [
      { [DAY]: 2, [DAY + hour / 2]: 4, [DAY + hour]: 6, [DAY + 1.5 * hour]: 8 },
    ])
    assert.deepEqual(await by('max:1h-count'), [{ [DAY]: 2, [DAY + hour]: 2 }])
  })

  it('a long answer is compressed for clients that accept it, with the same JSON inside', async () => {
    const body = Array.from({ length: 600 }, (_, at) => ({
      metric: 'long',
      timestamp: DAY + at,
      value: at,
      tags: { host: 'x' },
    }))
    await ask(server.url, { path: '/api/put', body })
    const url = `${server.url}/api/query?start=${DAY}&end=${DAY + 7_200}&m=sum:long`
    const http = await import('node:http')
    const raw = (encoding: string) =>
      new Promise<{ coding: string | undefined; bytes: Buffer }>((resolve, reject) => {
        http
          .get(url, { headers: { 'accept-encoding': encoding } }, (response) => {
            const parts: Buffer[] = []
            response.on('data', (part: Buffer) => parts.push(part))
            response.on('end', () =>
              resolve({
                coding: response.headers['content-encoding'],
                bytes: Buffer.concat(parts),
              }),
            )
          })
          .on('error', reject)
      })
    const plain = await raw('identity')
    assert.equal(plain.coding, undefined)
    for (const encoding of ['gzip', 'deflate, gzip;q=0.5', '*']) {
      const packed = await raw(encoding)
      assert.equal(packed.coding, 'gzip', encoding)
      assert.deepEqual(gunzipSync(packed.bytes), plain.bytes)
      assert.ok(packed.bytes.length < plain.bytes.length / 2)
    }
    assert.equal((await raw('gzip;q=0')).coding, undefined)
  })

  it('/api/stats has the shape of OpenTSDB’s and counts', async () => {
    const figure = async (name: string): Promise<number> => {
      const { body } = await ask(server.url, { path: '/api/stats' })
      const all = body as { metric: string; value: string; timestamp: number; tags: object }[]
      const found = all.find(({ metric }) => metric === name)
      assert.equal(typeof found?.value, 'string')
      assert.equal(found?.timestamp, DAY + 36_000)
      return Number(found?.value)
    }
    const before = await figure('tsd.datapoints.added')
    await lines(`put stats ${DAY} 1 host=x`)
    assert.equal(await figure('tsd.datapoints.added'), before + 1)
    assert.ok((await figure('tsd.store.series')) > 0)
  })
})
