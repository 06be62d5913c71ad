import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { WardenError } from '../../../src/core/errors.ts'
import { withSentry } from '../../../src/sentry-logger.ts'
import { RecordingLogger } from '../../support/recording-logger.ts'

/** What Sentry gets, by a server that speaks its envelopes. */
async function sentry(answer = 200) {
  const events: Record<string, never>[] = []
  const server = createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request) body += String(chunk)
    const [, , item = '{}'] = body.split('\n')
    events.push(JSON.parse(item))
    response.writeHead(answer).end('{}')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const dsn = `http://public@127.0.0.1:${(server.address() as AddressInfo).port}/1`
  const close = async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
  return { dsn, events: events as unknown as SentryEvent[], close }
}

interface SentryEvent {
  readonly level: string
  readonly release: string
  readonly tags: Readonly<Record<string, string>>
  readonly extra: Readonly<Record<string, unknown>>
  readonly message?: string
  readonly exception?: {
    readonly values: readonly { type: string; value: string; stacktrace: unknown }[]
  }
}

const options = { release: '1.2.3', job: 'lending' }

test('ERROR lines go to Sentry with code, causes and fields; secrets and other lines don’t', async () => {
  const { dsn, events, close } = await sentry()
  const inner = new RecordingLogger()
  const { logger, flush } = await withSentry(inner, { dsn, ...options })
  const cause = new Error('connect http://user:pass-word@tsd:4242 failed')
  const err = new WardenError('sink_unreachable', 'the sink http://u:pass-word@tsd is away', {
    cause,
  })
  const child = logger.child({ sink: 'tsdb', token: 'top' })
  child.error({ err, waitMs: 3 }, 'the pipeline failed')
  child.warn({ err }, 'recovered')
  logger.info({}, 'running')
  logger.error({ code: 'data_loss' }, 'no error beside it')
  await flush(5_000)
  await close()

  assert.deepEqual(inner.messages(), [
    'the pipeline failed',
    'recovered',
    'running',
    'no error beside it',
  ])
  assert.equal(events.length, 2)
  const [failed, other] = events
  assert.equal(failed?.release, 'warden@1.2.3')
  assert.deepEqual(failed?.tags, { job: 'lending', code: 'sink_unreachable' })
  const [exception] = failed?.exception?.values ?? []
  assert.equal(exception?.type, 'WardenError')
  assert.equal(exception?.value, 'the sink http://u:[redacted]@tsd is away')
  assert.ok(exception?.stacktrace)
  assert.equal(failed?.extra.sink, 'tsdb')
  assert.match(JSON.stringify(failed?.extra), /connect http/)
  assert.doesNotMatch(JSON.stringify(events), /pass-word|"top"/)
  assert.equal(other?.message, 'no error beside it')
  assert.deepEqual(other?.tags, { job: 'lending', code: 'data_loss' })
})

test('what repeats is captured five times a minute; a Sentry that is away or refuses changes nothing', async () => {
  const { dsn, events, close } = await sentry(500)
  const inner = new RecordingLogger()
  const { logger, flush } = await withSentry(inner, { dsn, ...options })
  for (let i = 0; i < 20; i++) logger.error({}, 'again')
  await flush(5_000)
  await close()
  assert.ok(events.length <= 10 && events.length >= 5, `${events.length}`)
  const away = await withSentry(inner, { dsn, ...options })
  away.logger.error({}, 'nobody there')
  await away.flush(2_000)
  assert.equal(inner.messages('error').length, 21)
})

test('a DSN that is none is said at once', async () => {
  await assert.rejects(
    withSentry(new RecordingLogger(), { dsn: 'nonsense', ...options }),
    /SENTRY_DSN/,
  )
})
