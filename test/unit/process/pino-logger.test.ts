import assert from 'node:assert/strict'
import { test } from 'node:test'
import { WardenError } from '../../../src/core/errors.ts'
import { createPinoLogger, type LogLevel } from '../../../src/pino-logger.ts'

function captured(format: 'json' | 'text' = 'json', level: LogLevel = 'info') {
  const lines: string[] = []
  const output = { write: (line: string) => void lines.push(line) }
  return { lines, logger: createPinoLogger({ level, format, output }) }
}

test('a line is one JSON object with its level by name, an ISO time, the message and the fields of its parents', () => {
  const { lines, logger } = captured()
  logger.child({ job: 'orders' }).child({ source: 'kafka' }).warn({ partition: 3 }, 'fetch is slow')
  const { time, ...rest } = JSON.parse(lines.join(''))
  assert.match(time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
  assert.deepEqual(rest, {
    level: 'warn',
    job: 'orders',
    source: 'kafka',
    partition: 3,
    msg: 'fetch is slow',
  })
})

test('lines below the level are not written', () => {
  const { lines, logger } = captured('json', 'error')
  logger.debug({}, 'd')
  logger.info({}, 'i')
  logger.warn({}, 'w')
  logger.error({}, 'e')
  assert.equal(lines.length, 1)
})

test('no secret reaches a line: by key at any depth, in a child, in a URL, in an error and its cause', () => {
  const { lines, logger } = captured()
  const cause = Object.assign(new Error('GET https://bob:hunter2@tsdb/put failed'), {
    config: { headers: { authorization: 'Basic hunter2' } },
  })
  logger.child({ apiKey: 'hunter2' }).error(
    {
      config: { sasl: { username: 'bob', password: 'hunter2' }, list: [{ token: 'hunter2' }] },
      headers: new Map([['Authorization', 'hunter2']]),
      url: 'kafka://bob:hunter2@broker:9092/x',
      error: new WardenError('sink_unreachable', 'no answer', { cause }),
    },
    'cannot reach http://bob:hunter2@tsdb',
  )
  const line = lines.join('')
  assert.doesNotMatch(line, /hunter2/)
  const { config, url, error } = JSON.parse(line)
  assert.deepEqual(config, {
    sasl: { username: 'bob', password: '[redacted]' },
    list: [{ token: '[redacted]' }],
  })
  assert.equal(url, 'kafka://bob:[redacted]@broker:9092/x')
  assert.equal(error.code, 'sink_unreachable')
  assert.equal(error.cause.message, 'GET https://bob:[redacted]@tsdb/put failed')
})

test('fields named like those of the line itself do not replace them', () => {
  const { lines, logger } = captured()
  logger.info({ time: 5, level: 'high', msg: 'x' }, 'message')
  const line = JSON.parse(lines.join(''))
  assert.deepEqual(
    [line.level, line.msg, line.time_, line.level_, line.msg_],
    ['info', 'message', 5, 'high', 'x'],
  )
})

test('what JSON cannot hold does not throw', () => {
  const { lines, logger } = captured()
  const circular: Record<string, unknown> = {}
  circular.self = circular
  logger.info({ circular, big: 5n, bytes: new Uint8Array(4), missing: undefined }, 'odd')
  assert.equal(JSON.parse(lines.join('')).bytes, '[4 bytes]')
})

test('text is one line for a person, a stack below it', () => {
  const { lines, logger } = captured('text')
  logger.info({ window: '14:00', note: 'two words' }, 'window closed')
  logger.error({ error: new Error('broken') }, 'checkpoint failed')
  assert.match(
    lines[0] ?? '',
    /^\d\d:\d\d:\d\d\.\d{3} INFO {2}window closed {2}window=14:00 note="two words"\n$/,
  )
  assert.match(
    lines[1] ?? '',
    /ERROR checkpoint failed {2}error=broken\n {4}Error: broken\n {4,}at /,
  )
})
