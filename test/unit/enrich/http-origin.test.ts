import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HttpOrigin } from '../../../src/enrich/http-origin.ts'
import { originContract } from '../../contract/origin.ts'
import { startTableServer } from '../../support/table-server.ts'

const never = new AbortController().signal
const plain = { headers: {}, token: undefined, preloadUrl: undefined }

for (const path of ['batch', 'one/{key}']) {
  originContract(
    `http (${path})`,
    async (entries) => {
      const server = await startTableServer(entries)
      const url = `${server.url}/${path}`
      const origin = new HttpOrigin({ ...plain, url, preloadUrl: `${server.url}/all` })
      return {
        origin,
        takeAway: async () => {
          server.fault = 'reset'
        },
        restore: async () => {
          server.fault = undefined
        },
        close: async () => {
          await origin.close()
          await server.close()
        },
      }
    },
    { all: true },
  )
}

test('whatever an API answers instead of entries is an outage, named without its query', async () => {
  const server = await startTableServer({ p1: 'cash' })
  const origin = new HttpOrigin({ ...plain, url: `${server.url}/batch?token=hidden` })
  try {
    for (const fault of [500, 503, 401, 404, 302]) {
      server.fault = fault
      await assert.rejects(origin.lookup(['p1'], never), (error: Error) => {
        assert.match(error.message, new RegExp(`/batch: HTTP ${fault} broken`))
        assert.doesNotMatch(error.message, /hidden/)
        return true
      })
    }
    for (const body of ['<html>', '[1]', 'null']) {
      server.fault = 200
      server.faultBody = body
      await assert.rejects(origin.lookup(['p1'], never), { code: 'enrich_unreachable' })
    }
  } finally {
    await origin.close()
    await server.close()
  }
})

test('headers and token are sent, and a request that hangs ends with its signal', async () => {
  const server = await startTableServer({ p1: 'cash' })
  const headers = { 'X-Tenant': 'lending' }
  const origin = new HttpOrigin({ ...plain, url: `${server.url}/batch`, headers, token: 't0ken' })
  try {
    assert.equal((await origin.lookup(['p1'], never)).get('p1'), 'cash')
    assert.equal(server.headers[0]?.authorization, 'Bearer t0ken')
    assert.equal(server.headers[0]?.['x-tenant'], 'lending')
    server.fault = 'hang'
    const stop = new AbortController()
    const waiting = origin.lookup(['p1'], stop.signal)
    setImmediate(() => stop.abort(new Error('too long')))
    await assert.rejects(waiting, /too long/)
  } finally {
    await origin.close()
    await server.close()
  }
})
