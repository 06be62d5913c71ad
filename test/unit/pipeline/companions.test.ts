import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { JobEvidence, WindowClosing } from '../../../src/core/evidence.ts'
import type { Pane } from '../../../src/core/pane.ts'
import type { CheckpointCompanion } from '../../../src/pipeline/checkpoint-companion.ts'
import { PipelineRig } from '../../support/pipeline-rig.ts'
import { ScriptedLog } from '../../support/scripted-source.ts'

const event = (t: number) => ({ t, u: 'u', product: 'a', o: 'success', amount: 1 })

/** Writes what it was given, and remembers it. */
class Witness implements CheckpointCompanion {
  isAsking = false
  readonly seen: { panes: number; closings: readonly WindowClosing[]; evidence: JobEvidence }[] = []
  commits = 0

  isDue(): boolean {
    return this.isAsking
  }

  collect(panes: readonly Pane[], closings: readonly WindowClosing[], evidence: JobEvidence) {
    this.isAsking = false
    this.seen.push({ panes: panes.length, closings, evidence })
    const value = Buffer.from(String(this.seen.length))
    return [{ kind: 'put', key: 'witness', value } as const]
  }

  committed(): void {
    this.commits++
  }
}

test('a companion gets panes, closings and evidence of the instant, and is told when they are durable', async () => {
  const log = new ScriptedLog('orders-0')
  const rig = new PipelineRig(log)
  const witness = new Witness()
  const built = (await rig.build({ companions: [witness] })).start()
  await rig.pass(300)
  log.send('orders-0', event(10_000), 'garbage', event(12_200))
  await rig.pass(500)
  const [first] = witness.seen
  assert.equal(first?.panes, 1)
  assert.deepEqual(
    first?.closings.map(({ window, kind }) => [window.start, kind]),
    [
      [9_000, 'silent'],
      [11_000, 'silent'],
      [10_000, 'whole'],
    ],
  )
  const [source] = first?.evidence.sources ?? []
  assert.deepEqual(
    { ...source, partitions: source?.partitions.map(({ name, idle }) => [name, idle]) },
    {
      name: 'orders',
      watermark: 12_200 - 101,
      partitions: [['orders-0', false]],
      records: 3,
      dead: 1,
      ended: false,
    },
  )
  assert.equal(witness.commits, 1)
  assert.equal(Buffer.from(rig.store.get('witness') ?? []).toString(), '1')
  built.stop()
  await built.finished()
})

test('a companion that asks gets a checkpoint at once, without any pane', async () => {
  const rig = new PipelineRig(new ScriptedLog('orders-0'))
  const witness = new Witness()
  const built = (await rig.build({ companions: [witness] })).start()
  await rig.pass(1_000)
  assert.equal(witness.seen.length, 0)
  witness.isAsking = true
  await rig.pass(600)
  assert.deepEqual([witness.seen.length, witness.commits], [1, 1])
  built.stop()
  await built.finished()
})

test('what could not be committed is told of when a later checkpoint wrote it', async () => {
  const log = new ScriptedLog('orders-0')
  const rig = new PipelineRig(log)
  const witness = new Witness()
  let failures = 1
  rig.store.beforeCommit = () => {
    if (failures-- > 0) throw new Error('away')
  }
  const built = (await rig.build({ companions: [witness] })).start()
  witness.isAsking = true
  await rig.pass(400)
  assert.equal(witness.commits, 0)
  await rig.pass(2_000)
  assert.equal(witness.commits, 1)
  assert.equal(Buffer.from(rig.store.get('witness') ?? []).toString(), '2')
  built.stop()
  await built.finished()
})
