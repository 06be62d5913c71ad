import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FencedNotifier } from '../../../src/alert/notify/fenced-notifier.ts'
import type { Message, SendResult } from '../../../src/alert/notify/notifier.ts'
import type { Tenure } from '../../../src/core/tenure.ts'
import { FencedSideOutput } from '../../../src/ingest/fenced-side-output.ts'
import { LeaseTerm } from '../../../src/lease/lease-term.ts'
import { FencedLogSink, FencedSink } from '../../../src/sink/fenced-sink.ts'
import type { DataPoint } from '../../../src/sink/sink.ts'
import { FencedStateStore } from '../../../src/state/fenced-state-store.ts'
import { MemoryStateStore } from '../../../src/state/memory-state-store.ts'

/** A term of 9 s that nobody renews, on a clock that the test moves as a thaw does: at once, and before any timer. */
function frozen(): { readonly tenure: Tenure; thaw(): void } {
  let now = 0
  const tenure = new LeaseTerm(1n, 9_000, 0, () => now)
  return {
    tenure,
    thaw: () => {
      now = 10_000
    },
  }
}

const point: DataPoint = {
  metric: 'm',
  tags: {},
  timestamp: 1,
  value: 1,
  incarnation: 1,
  revision: 0,
}
const never = new AbortController().signal

test('a sink writes while the lease is held, and nothing after the process was frozen for longer', async () => {
  const { tenure, thaw } = frozen()
  let written = 0
  const sink = new FencedSink(
    {
      name: 'tsdb',
      write: async (points) => {
        written += points.length
        const outcomes = points.map(() => ({ kind: 'written' }) as const)
        return { outcomes, retryAfterMs: undefined, failed: false }
      },
      close: async () => {},
    },
    tenure,
  )
  assert.equal((await sink.write([point], never)).outcomes[0]?.kind, 'written')
  thaw()
  const { outcomes, failed } = await sink.write([point, point], never)
  assert.deepEqual(
    outcomes.map(({ kind }) => kind),
    ['retry', 'retry'],
  )
  assert.ok(failed)
  assert.equal(written, 1)
  assert.ok(tenure.lost.aborted, 'whoever asks learns it first')
})

test('a log is neither taken over nor appended to after that: the newer writer is not fenced back', async () => {
  const { tenure, thaw } = frozen()
  const calls: string[] = []
  const sink = new FencedLogSink(
    {
      name: 'panes',
      open: async () => {
        calls.push('open')
        return new Map()
      },
      append: async () => {
        calls.push('append')
      },
      close: async () => {},
    },
    tenure,
  )
  await sink.open()
  await sink.append([point], new Map())
  thaw()
  await assert.rejects(sink.append([point], new Map()), { code: 'lease_lost' })
  await assert.rejects(sink.open(), { code: 'lease_lost' })
  assert.deepEqual(calls, ['open', 'append'])
})

test('nothing is committed after that, and a commit during which it happened is not acted upon', async () => {
  const { tenure, thaw } = frozen()
  const memory = new MemoryStateStore()
  const store = new FencedStateStore(memory, tenure)
  const put = (key: string) => [{ kind: 'put', key, value: Buffer.from('1') } as const]
  await store.commit(put('before'))
  const during = store.commit(put('during'))
  thaw()
  await assert.rejects(during, { code: 'lease_lost' })
  await assert.rejects(store.commit(put('after')), { code: 'lease_lost' })
  assert.deepEqual(
    [...memory.range('', '~')].map(([key]) => key),
    ['before', 'during'],
  )
})

test('no message is sent after that; it waits, and is no repeat', async () => {
  const { tenure, thaw } = frozen()
  let sent = 0
  const notifier = new FencedNotifier(
    {
      receiver: 'ops',
      batch: (waiting) => waiting.length,
      send: async (): Promise<SendResult> => {
        sent++
        return { kind: 'sent' }
      },
      close: async () => {},
    },
    tenure,
  )
  const message: Message = {
    id: '1',
    notifications: [],
    mayBeRepeat: false,
    dropped: 0,
    plain: false,
  }
  assert.deepEqual(await notifier.send(message, 0, never), { kind: 'sent' })
  thaw()
  const result = await notifier.send(message, 1, never)
  assert.ok(result.kind === 'again' && !result.unknown)
  assert.equal(sent, 1)
})

test('no dead letter is written after that', async () => {
  const { tenure, thaw } = frozen()
  let flushes = 0
  const output = new FencedSideOutput(
    {
      restore: async () => {},
      append: () => {},
      pendingBytes: () => 0,
      flush: async () => {
        flushes++
        return '0'
      },
      close: async () => {},
    },
    tenure,
  )
  await output.flush()
  thaw()
  await assert.rejects(output.flush(), { code: 'lease_lost' })
  assert.equal(flushes, 1)
})
