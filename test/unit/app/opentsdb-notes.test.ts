import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type TestContext, test } from 'node:test'
import type { VerdictNote } from '../../../src/alert/verdict-notes.ts'
import { OpentsdbNotes } from '../../../src/app/opentsdb-notes.ts'
import { epochMs } from '../../../src/core/time.ts'
import { RecordingLogger } from '../../support/recording-logger.ts'
import { RecordingMetrics } from '../../support/recording-metrics.ts'
import { until } from '../../support/until.ts'
import { VirtualClock } from '../../support/virtual-clock.ts'

const start = epochMs(1_700_000_000_000)
const note = (over: Partial<VerdictNote> = {}): VerdictNote => ({
  metric: 'loan',
  tags: undefined,
  windowStart: start,
  windowEnd: epochMs(start + 3_600_000),
  value: 'LATE',
  reason: 'the window is not closed',
  ...over,
})

interface Told {
  readonly description: string
  readonly startTime: number
  readonly notes: string
}

/** A TSD that answers with the next of the statuses, the last one for ever. */
async function tsd(t: TestContext, ...statuses: number[]) {
  const told: Told[] = []
  const paths: string[] = []
  const server = createServer(async (request, response) => {
    paths.push(`${request.method} ${request.url}`)
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const status = (statuses.length > 1 ? statuses.shift() : statuses[0]) ?? 200
    if (status === 200) told.push(JSON.parse(Buffer.concat(chunks).toString()))
    response.writeHead(status).end('{}')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const clock = new VirtualClock()
  const logger = new RecordingLogger()
  let mayWrite = true
  const { port } = server.address() as AddressInfo
  const notes = new OpentsdbNotes(
    {
      sink: 'tsdb',
      url: `http://127.0.0.1:${port}`,
      timeoutMs: 5_000,
      headers: {},
      metrics: ['login', 'loan'],
      mayWrite: () => mayWrite,
    },
    { clock, logger, metrics: new RecordingMetrics() },
  )
  t.after(async () => {
    await notes.close()
    server.closeAllConnections()
    server.close()
  })
  const lose = (): void => {
    mayWrite = false
  }
  return { notes, told, paths, clock, logger, lose }
}

test('a window and metric is one global annotation, at a second of its own, that names few series', async (t) => {
  const { notes, told, paths } = await tsd(t, 200)
  const zeros = ['a', 'b', 'c', 'd', 'e', 'f', 'g'].map((product) =>
    note({ tags: { product }, value: 'ZERO', reason: 'no event' }),
  )
  notes.add([...zeros, note({ metric: 'login' })])
  await until('both are there', () => told.length === 2)
  assert.deepEqual(new Set(paths), new Set(['POST /api/annotation']))
  assert.deepEqual(
    told.map(({ startTime, description, notes }) => [startTime, description, notes]),
    [
      [
        1_700_000_001,
        'loan: ZERO product=a; product=b; product=c; product=d; product=e; and 2 more',
        'no event',
      ],
      [1_700_000_000, 'login: LATE', 'the window is not closed'],
    ],
  )
})

test('a TSD that is away gets the last word on a window when it is back, and says so once', async (t) => {
  const { notes, told, clock, logger } = await tsd(t, 503, 503, 500, 200)
  notes.add([note()])
  await until('it was refused', () => logger.lines.length > 0)
  notes.add([note({ value: 'OK', reason: 'closed' })])
  await until('it is back', async () => {
    await clock.advance(60_000)
    return told.length > 0
  })
  assert.deepEqual(
    told.map(({ description }) => description),
    ['loan: OK'],
  )
  assert.equal(logger.lines.filter(({ level }) => level === 'warn').length, 1)
})

test('a note that the TSD refuses for good is dropped, the next one goes out', async (t) => {
  const { notes, told } = await tsd(t, 400, 200)
  notes.add([note(), note({ metric: 'login' })])
  await until('the second is there', () => told.length === 1)
  assert.equal(told[0]?.description, 'login: LATE')
})

test('who does not lead writes nothing', async (t) => {
  const { notes, paths, logger, lose } = await tsd(t, 200)
  lose()
  notes.add([note()])
  await until('it was left', () => logger.lines.length > 0)
  assert.deepEqual(paths, [])
})
