import assert from 'node:assert/strict'
import { test } from 'node:test'
import { OpentsdbNotes } from '../../src/app/opentsdb-notes.ts'
import { epochMs } from '../../src/core/time.ts'
import { SystemClock } from '../../src/system-clock.ts'
import { RecordingLogger } from '../support/recording-logger.ts'
import { RecordingMetrics } from '../support/recording-metrics.ts'
import { sharedOpentsdb } from '../support/shared-services.ts'
import { until } from '../support/until.ts'

interface Annotation {
  readonly description?: string
  readonly notes?: string
  readonly endTime?: number
}

test('a real OpenTSDB keeps the last word on a window as a global annotation, and gives it to a query', async (t) => {
  const { service, release } = await sharedOpentsdb()
  t.after(release)
  const logger = new RecordingLogger()
  const notes = new OpentsdbNotes(
    {
      sink: 'tsdb',
      url: service.url,
      timeoutMs: 30_000,
      headers: {},
      metrics: ['login', 'loan'],
      mayWrite: () => true,
    },
    { clock: new SystemClock(), logger, metrics: new RecordingMetrics() },
  )
  t.after(() => notes.close())
  const windowStart = epochMs(1_650_000_000_000)
  const windowEnd = epochMs(windowStart + 3_600_000)
  const of = { metric: 'loan', windowStart, windowEnd }
  const read = async (): Promise<Annotation> => {
    const answer = await fetch(`${service.url}/api/annotation?start_time=1650000001`)
    return answer.ok ? ((await answer.json()) as Annotation) : {}
  }
  notes.add([{ ...of, tags: undefined, value: 'LATE', reason: 'the window is not closed' }])
  await until('the first word is there', async () => (await read()).description === 'loan: LATE')
  notes.add([{ ...of, tags: { product: '现金' }, value: 'ZERO', reason: 'no event' }])
  await until(
    'the last word is there',
    async () => (await read()).description === 'loan: ZERO product=现金',
  )
  const { notes: reason, endTime } = await read()
  assert.deepEqual([reason, endTime], ['no event', 1_650_003_600])
  assert.equal(logger.lines.length, 0)
})
