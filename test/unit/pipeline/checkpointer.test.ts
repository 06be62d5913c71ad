import assert from 'node:assert/strict'
import { test } from 'node:test'
import { WardenError } from '../../../src/core/errors.ts'
import type { StateOperation } from '../../../src/core/state-store.ts'
import { durationMs } from '../../../src/core/time.ts'
import { type CheckpointContent, Checkpointer } from '../../../src/pipeline/checkpointer.ts'
import { BreakableStore } from '../../support/breakable-store.ts'
import { RecordingLogger } from '../../support/recording-logger.ts'
import { RecordingMetrics } from '../../support/recording-metrics.ts'
import { VirtualClock } from '../../support/virtual-clock.ts'

class Rig {
  readonly clock = new VirtualClock()
  readonly metrics = new RecordingMetrics()
  readonly logger = new RecordingLogger()
  readonly store = new BreakableStore()
  readonly committed: number[] = []
  checkpointer = this.build()

  build(): Checkpointer {
    const policy = {
      intervalMs: durationMs(10_000),
      timeoutMs: durationMs(5_000),
      minPauseMs: durationMs(1_000),
      toleratedFailures: 2,
    }
    return new Checkpointer(this.store, policy, this)
  }

  /** Content of one key that holds the checkpoint's number. */
  content = (number: number): CheckpointContent => ({
    operations: [put(`key-${number}`, number), put('newest', number)],
    marks: Promise.resolve([put('mark', number)]),
    committed: () => {
      this.committed.push(number)
    },
  })

  async checkpoint(): Promise<void> {
    this.checkpointer.start(this.content)
    await this.checkpointer.settled()
  }

  isDue(): boolean {
    return this.checkpointer.isDue(this.clock.now())
  }

  get(key: string): string | undefined {
    const bytes = this.store.get(key)
    return bytes === undefined ? undefined : Buffer.from(bytes).toString()
  }

  get failures(): number {
    return this.metrics.total('warden_checkpoint_failures_total')
  }
}

const put = (key: string, value: number): StateOperation => ({
  kind: 'put',
  key,
  value: Buffer.from(String(value)),
})
const away = new WardenError('state_write_failed', 'away')

test('a checkpoint is due after the interval, counted from the end of the one before', async () => {
  const rig = new Rig()
  await rig.clock.advance(9_999)
  assert.equal(rig.isDue(), false)
  await rig.clock.advance(1)
  assert.equal(rig.isDue(), true)
  await rig.checkpoint()
  assert.equal(rig.isDue(), false)
  await rig.clock.advance(10_000)
  assert.equal(rig.isDue(), true)
})

test('an urgent one is due at once, but not more often than every 200 ms, and asks once', async () => {
  const rig = new Rig()
  await rig.checkpoint()
  rig.checkpointer.request()
  await rig.clock.advance(199)
  assert.equal(rig.isDue(), false)
  await rig.clock.advance(1)
  assert.equal(rig.isDue(), true)
  await rig.checkpoint()
  await rig.clock.advance(200)
  assert.equal(rig.isDue(), false)
})

test('content, marks and number are one transaction, and only then it is committed', async () => {
  const rig = new Rig()
  let release = () => {}
  rig.store.beforeCommit = () =>
    new Promise((resolve) => {
      release = resolve
    })
  rig.checkpointer.start(rig.content)
  await rig.clock.advance(1)
  assert.equal(rig.checkpointer.running, true)
  assert.deepEqual(rig.committed, [])
  release()
  await rig.checkpointer.settled()
  assert.deepEqual(rig.committed, [1])
  assert.equal(rig.store.commits, 1)
  assert.deepEqual([rig.get('newest'), rig.get('mark'), rig.get('checkpoint')], ['1', '1', '1'])
})

test('numbers go on after a restart', async () => {
  const rig = new Rig()
  await rig.checkpoint()
  rig.checkpointer = rig.build()
  await rig.checkpoint()
  assert.deepEqual(rig.committed, [1, 2])
})

test('what a failed checkpoint could not write is written by the next, older first', async () => {
  const rig = new Rig()
  rig.store.beforeCommit = () => {
    throw away
  }
  await rig.checkpoint()
  await rig.checkpoint()
  assert.equal(rig.failures, 2)
  rig.store.beforeCommit = () => {}
  await rig.checkpoint()
  assert.deepEqual(
    ['key-1', 'key-2', 'key-3', 'newest', 'mark'].map((key) => rig.get(key)),
    ['1', '2', '3', '3', '3'],
  )
  assert.deepEqual(rig.committed, [3])
  assert.deepEqual(rig.logger.messages('info'), ['checkpoints succeed again'])
})

test('a failed one is due again after the pause, not after the interval and not at once', async () => {
  const rig = new Rig()
  rig.store.beforeCommit = () => {
    throw away
  }
  await rig.checkpoint()
  await rig.clock.advance(999)
  assert.equal(rig.isDue(), false)
  await rig.clock.advance(1)
  assert.equal(rig.isDue(), true)
})

test('one failure more than is tolerated stops the pipeline with the error', async () => {
  const rig = new Rig()
  rig.store.beforeCommit = () => {
    throw away
  }
  await rig.checkpoint()
  await rig.checkpoint()
  await assert.rejects(rig.checkpoint(), away)
  assert.throws(() => rig.checkpointer.check(), away)
})

test('a success in between gives all tolerated failures back', async () => {
  const rig = new Rig()
  for (let round = 0; round < 3; round++) {
    rig.store.beforeCommit = () => {
      throw away
    }
    await rig.checkpoint()
    await rig.checkpoint()
    rig.store.beforeCommit = () => {}
    await rig.checkpoint()
  }
  assert.equal(rig.failures, 6)
})

test('a mark that cannot be made fails the checkpoint and loses none of its content', async () => {
  const rig = new Rig()
  rig.checkpointer.start((number) => ({ ...rig.content(number), marks: Promise.reject(away) }))
  await rig.checkpointer.settled()
  assert.equal(rig.store.commits, 0)
  await rig.checkpoint()
  assert.equal(rig.get('key-1'), '1')
})

test('a slow one counts as failed each time it exceeds the timeout, and as done when it is done', async () => {
  const rig = new Rig()
  let release = () => {}
  rig.store.beforeCommit = () =>
    new Promise((resolve) => {
      release = resolve
    })
  rig.checkpointer.start(rig.content)
  await rig.clock.advance(10_100)
  assert.equal(
    rig.metrics.value('warden_checkpoint_failures_total', { code: 'checkpoint_timeout' }),
    2,
  )
  assert.equal(rig.checkpointer.running, true)
  release()
  await rig.checkpointer.settled()
  assert.deepEqual(rig.committed, [1])
  assert.equal(rig.clock.pendingTimers(), 0)
})

test('one that is slow for too long stops the pipeline; idle waits until it really is over', async () => {
  const rig = new Rig()
  let release = () => {}
  rig.store.beforeCommit = () =>
    new Promise((resolve) => {
      release = resolve
    })
  rig.checkpointer.start(rig.content)
  await rig.clock.advance(15_000)
  await assert.rejects(rig.checkpointer.settled(), { code: 'checkpoint_timeout' })
  let isIdle = false
  const idle = rig.checkpointer.idle().then(() => {
    isIdle = true
  })
  await rig.clock.advance(1)
  assert.equal(isIdle, false)
  release()
  await idle
  assert.equal(rig.get('newest'), '1')
  assert.deepEqual(rig.committed, [])
})

test('complete takes a checkpoint of its own after the one under way, and tries until it is durable', async () => {
  const rig = new Rig()
  let failures = 2
  rig.checkpointer.start(rig.content)
  rig.store.beforeCommit = () => {
    if (failures-- > 0) throw away
  }
  const complete = rig.checkpointer.complete(rig.content)
  await rig.clock.advance(2_000)
  await complete
  assert.deepEqual(rig.committed, [3])
  assert.equal(rig.clock.pendingTimers(), 0)
})

test('complete rejects when it fails for good', async () => {
  const rig = new Rig()
  rig.store.beforeCommit = () => {
    throw away
  }
  const complete = assert.rejects(rig.checkpointer.complete(rig.content), away)
  await rig.clock.advance(3_000)
  await complete
})

test('a listener that fails after the commit stops the pipeline, and the checkpoint is durable', async () => {
  const rig = new Rig()
  rig.checkpointer.start((number) => ({
    ...rig.content(number),
    committed: () => {
      throw new Error('broken table')
    },
  }))
  await assert.rejects(rig.checkpointer.settled(), { message: 'broken table', code: 'internal' })
  assert.equal(rig.get('newest'), '1')
})
