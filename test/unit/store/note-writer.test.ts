import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { type Note, NoteWriter } from '../../../src/store/note-writer.ts'
import { ask } from '../../support/http-answer.ts'
import { type StoreServer, startStoreServer } from '../../support/store-server.ts'
import { VirtualClock } from '../../support/virtual-clock.ts'

/** 2026-11-20T00:00:00Z in seconds. */
const DAY = 1_795_132_800

const note = (change: Partial<Note>): Note => ({
  id: 'n',
  series: undefined,
  startMs: DAY * 1_000,
  endMs: undefined,
  description: 'the source was silent',
  details: '',
  ...change,
})

interface Shown {
  readonly description: string
  readonly startTime: number
}

describe('notes of Warden in the store', () => {
  let server: StoreServer
  let notes: NoteWriter
  const globals = async (): Promise<Shown[]> => {
    const path = `/api/annotations?start_time=${DAY - 10}&end_time=${DAY + 1_000}`
    return (await ask(server.url, { path })).body as Shown[]
  }
  /** As Grafana asks for annotations: without a downsample. */
  const ofQuery = async (globalAnnotations: boolean) => {
    const queries = [{ aggregator: 'sum', metric: 'm', filters: [] }]
    const body = { start: DAY - 10, end: DAY + 1_000, globalAnnotations, queries }
    const answer = await ask(server.url, { path: '/api/query', body })
    return answer.body as { annotations?: Shown[]; globalAnnotations?: Shown[] }[]
  }

  before(async () => {
    server = await startStoreServer(new VirtualClock((DAY + 3_600) * 1_000))
    notes = new NoteWriter(server.store)
    const body = { metric: 'm', timestamp: DAY, value: '1.5', tags: { host: 'a' } }
    await ask(server.url, { path: '/api/put', body })
  })
  after(() => server.close())

  it('a note of a series comes with its points, one of none only when global ones are asked for', async () => {
    await notes.write(note({ id: 'own', series: { metric: 'm', tags: { host: 'a' } } }))
    await notes.write(note({ id: 'all', description: 'the sink failed' }))
    const [without] = await ofQuery(false)
    assert.deepEqual(
      without?.annotations?.map(({ description, startTime }) => [description, startTime]),
      [['the source was silent', DAY]],
    )
    assert.equal(without?.globalAnnotations, undefined)
    const [withGlobals] = await ofQuery(true)
    assert.equal(withGlobals?.globalAnnotations?.[0]?.description, 'the sink failed')
    assert.deepEqual(
      (await globals()).map(({ description }) => description),
      ['the sink failed'],
    )
  })

  it('notes of the same second do not overwrite each other, the same note does', async () => {
    const startMs = (DAY + 100) * 1_000
    await Promise.all(
      ['a', 'b', 'c'].map((id) => notes.write(note({ id, startMs, description: id }))),
    )
    await notes.write(note({ id: 'b', startMs, description: 'b, corrected' }))
    const found = (await globals()).filter(({ startTime }) => startTime >= DAY + 100)
    assert.deepEqual(
      found.map(({ description }) => description),
      ['a', 'b, corrected', 'c'],
    )
  })

  it('a note of a series that the store does not know is shown to all', async () => {
    const series = { metric: 'never', tags: { host: 'a' } }
    await notes.write(note({ id: 'new', series, startMs: (DAY + 500) * 1_000 }))
    assert.ok((await globals()).some(({ startTime }) => startTime === DAY + 500))
  })
})
