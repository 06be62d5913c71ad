import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { after, before, describe, it } from 'node:test'
import { answerDifference } from '../support/compare-answers.ts'
import { ask } from '../support/http-answer.ts'
import { compatPoints } from '../support/opentsdb-points.ts'
import type { CompatRequest } from '../support/opentsdb-request.ts'
import { compatRequests } from '../support/opentsdb-requests.ts'
import { type Shared, sharedOpentsdb } from '../support/shared-services.ts'
import { type StoreServer, startStoreServer } from '../support/store-server.ts'
import { until } from '../support/until.ts'
import { VirtualClock } from '../support/virtual-clock.ts'

/** Java's words, and what depends on the order in which a store met its names. */
const ignored = ['trace', 'details', 'time', 'tsuid']

describe('the embedded store answers as OpenTSDB does', () => {
  // Names of its own: other tests may use the same OpenTSDB.
  const prefix = `compat${Date.now().toString(36)}`
  let opentsdb: Shared<{ readonly url: string }>
  let store: StoreServer

  before(async () => {
    opentsdb = await sharedOpentsdb()
    store = await startStoreServer(new VirtualClock(Date.now()))
    const points = compatPoints(prefix)
    for (const url of [opentsdb.service.url, store.url]) {
      const answer = await ask(url, { path: '/api/put?sync&details', body: points })
      assert.deepEqual(answer, {
        status: 200,
        body: { success: points.length, failed: 0, errors: [] },
      })
    }
    // OpenTSDB writes what lookups need beside the points, a moment later.
    await until('lookups of OpenTSDB know the series', async () => {
      const path = `/api/search/lookup?m=${prefix}.ints`
      const { body } = await ask(opentsdb.service.url, { path })
      return (body as { totalResults?: number }).totalResults === 4
    })
  })

  after(async () => {
    await store?.close()
    await opentsdb?.release()
  })

  it('describes itself in the same form: filters, version, statistics', async () => {
    const both = async (path: string) => {
      const answers = [await ask(opentsdb.service.url, { path }), await ask(store.url, { path })]
      assert.deepEqual(
        answers.map(({ status }) => status),
        [200, 200],
      )
      return answers.map(({ body }) => body)
    }
    const [realFilters = {}, ourFilters = {}] = (await both('/api/config/filters')) as object[]
    assert.deepEqual(Object.keys(ourFilters).sort(), Object.keys(realFilters).sort())
    for (const one of Object.values(ourFilters)) {
      assert.deepEqual(Object.keys(one).sort(), ['description', 'examples'])
    }
    const versions = (await both('/api/version')) as { version: string }[]
    for (const { version } of versions) assert.equal(typeof version, 'string')
    const [real = [], ours = []] = (await both('/api/stats')) as object[][]
    const form = (one: object | undefined) =>
      Object.entries(one ?? {}).map(([key, value]) => `${key}: ${typeof value}`)
    assert.deepEqual(form(ours[0]).sort(), form(real[0]).sort())
    const names = (list: object[]) => new Set(list.map((one) => (one as { metric: string }).metric))
    for (const shared of ['tsd.uid.ids-used', 'tsd.datapoints.added']) {
      assert.ok(names(real).has(shared) && names(ours).has(shared), shared)
    }
  })

  const name = ({ name, method, path, body }: CompatRequest): string =>
    `${name}: ${method ?? (body === undefined ? 'GET' : 'POST')} ${path.replaceAll(prefix, 'x')}`

  for (const request of compatRequests(prefix)) {
    it(request.differs === undefined ? name(request) : `${name(request)} (differs)`, async () => {
      const real = await ask(opentsdb.service.url, request)
      const ours = await ask(store.url, request)
      const found = answerDifference(real, ours, ignored)
      if (request.differs === undefined) {
        const answers = `\nreal ${JSON.stringify(real).slice(0, 600)}\nours ${JSON.stringify(ours).slice(0, 600)}`
        assert.equal(found, undefined, `${found}${answers}`)
      } else {
        assert.notEqual(found, undefined, 'the answers agree: it is no difference any more')
        const list = await readFile('docs/opentsdb-compat.md', 'utf8')
        assert.ok(
          list.includes(request.differs),
          `docs/opentsdb-compat.md lacks "${request.differs}"`,
        )
      }
    })
  }
})
