import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { RecordingLogger } from '../support/recording-logger.ts'
import { runConfig } from '../support/run-config.ts'
import { until } from '../support/until.ts'

const root = mkdtempSync(join(tmpdir(), 'warden-state-copies-'))
after(() => rmSync(root, { recursive: true, force: true }))

const text = `
job: logins
sources:
  events:
    type: file
    path: events.jsonl
    follow: true
    event: { time: t, user: user }
metrics:
  login: { window: { size: 1h }, dedup: { keep: first } }
sinks: { out: { type: file, path: points.jsonl } }
checkpoint: { interval: 100ms, minPause: 0s }
state: { replica: { dir: replica, interval: 10s } }
`

const day = Date.UTC(2026, 0, 5)
const events = (users: readonly string[]) =>
  users.map((user, index) => `${JSON.stringify({ t: day + index, user })}\n`).join('')

const messages = ({ lines }: RecordingLogger) => lines.map(({ message }) => message)

interface Copy {
  readonly id: string
  readonly kind: string
}

test('a running job gives a savepoint when asked, and its replica takes the place of a state that is gone', async () => {
  writeFileSync(join(root, 'events.jsonl'), events(['a', 'b', 'c']))
  const logger = new RecordingLogger()
  const stop = new AbortController()
  let url = ''
  const first = runConfig(root, text, {
    stop: stop.signal,
    logger,
    onListening: (at) => {
      url = at
    },
  })
  await until('it listens', () => url !== '')
  await until('it runs', async () => (await fetch(`${url}/health/ready`)).ok)
  const made = await fetch(`${url}/api/savepoints`, { method: 'POST' })
  assert.equal(made.status, 201)
  const { id, kind } = (await made.json()) as Copy
  assert.equal(kind, 'savepoint')
  const listed = (await (await fetch(`${url}/api/savepoints`)).json()) as Copy[]
  assert.deepEqual(
    listed.map((one) => one.id),
    [id],
  )
  await until('a replica is whole', () =>
    logger.lines.some(
      ({ message, fields }) => message === 'state copied' && fields.kind === 'replica',
    ),
  )
  stop.abort()
  assert.equal(await first, 'stopped')

  rmSync(join(root, '.warden/logins/state'), { recursive: true })
  const again = new RecordingLogger()
  const stopAgain = new AbortController()
  const second = runConfig(root, text, { stop: stopAgain.signal, logger: again })
  await until('it runs on', () => messages(again).includes('running'))
  assert.ok(
    messages(again).some((message) => message.startsWith('the local state was gone')),
    messages(again).join('\n'),
  )
  stopAgain.abort()
  assert.equal(await second, 'stopped')
})
