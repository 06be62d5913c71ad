import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LRUCache } from 'lru-cache'
import { WardenError } from '../../../src/core/errors.ts'
import { durationMs } from '../../../src/core/time.ts'
import type { OutagePolicy } from '../../../src/enrich/key-table.ts'
import { KeyedTable, type Remembered } from '../../../src/enrich/keyed-table.ts'
import type { Entry, Origin } from '../../../src/enrich/origin.ts'
import { metricPlan } from '../../support/lane-rig.ts'
import { PipelineRig, type RigOptions } from '../../support/pipeline-rig.ts'
import { ScriptedLog } from '../../support/scripted-source.ts'

const lookup = { from: 'products', field: 'bizLine', unknown: 'unknown' }
const metrics = [
  metricPlan({
    dimensions: [{ name: 'product', path: ['product'], missing: undefined, lookup }],
    keep: 'first',
    values: [],
    allowedLateness: durationMs(1_000_000),
  }),
]
const event = (t: number, u: string, product = 'p1') => ({ t, u, product, o: 'success' })

class FakeOrigin implements Origin {
  entries: Readonly<Record<string, Entry>> = { p1: 'cash', p2: 'card' }
  fault: WardenError | undefined
  asked = 0

  lookup(keys: readonly string[]): Promise<ReadonlyMap<string, Entry>> {
    this.asked++
    if (this.fault !== undefined) return Promise.reject(this.fault)
    return Promise.resolve(
      new Map(Object.entries(this.entries).filter(([key]) => keys.includes(key))),
    )
  }

  close(): Promise<void> {
    return Promise.resolve()
  }
}

const away = new WardenError('enrich_unreachable', 'away')

/** A pipeline with a table of its own in each life. */
function rig() {
  const log = new ScriptedLog('orders-0')
  const pipeline = new PipelineRig(log)
  const origin = new FakeOrigin()
  const life = async (onOutage: OutagePolicy) => {
    const table = new KeyedTable(
      {
        origin,
        cache: undefined,
        memory: new LRUCache<string, Remembered>({ max: 10 }),
        random: () => 0.5,
      },
      {
        name: 'products',
        refreshMs: durationMs(3_600_000),
        expireMs: durationMs(3_600_000),
        missingForMs: durationMs(1_000),
        timeoutMs: durationMs(1_000),
        batchKeys: 10,
        concurrency: 1,
        onOutage,
        preload: 0,
      },
      pipeline,
    )
    const options: RigOptions = { metrics, tables: new Map([['products', table]]) }
    return (await pipeline.build(options)).start()
  }
  return { log, pipeline, origin, life }
}

test('wait: an outage holds the batch and nothing else; checkpoints go on before it, and no value is unknown', async () => {
  const { log, pipeline, origin, life } = rig()
  const built = await life('wait')
  log.send('orders-0', event(10_000, 'u1'))
  await pipeline.pass(1_000)
  origin.fault = away
  log.send('orders-0', event(10_001, 'u2', 'p2'))
  await pipeline.pass(1_000)
  log.send('orders-0', event(10_002, 'u3'))
  await pipeline.pass(60_000)
  assert.equal(built.outcome, undefined)
  const saved = JSON.parse(Buffer.from(pipeline.store.get('source/orders') ?? []).toString())
  const firstLine = JSON.stringify(event(10_000, 'u1')).length + 1
  assert.equal(saved.partitions['orders-0'].offset, firstLine)
  assert.ok(built.checkpointer.succeededAt > pipeline.clock.now() - 20_000)
  origin.fault = undefined
  await pipeline.pass(6_000)
  built.source.end()
  assert.equal(await built.finished(), 'ended')
  assert.deepEqual(
    pipeline.stored(),
    new Map([
      ['loan.count cash 10', 2],
      ['loan.count card 10', 1],
    ]),
  )
})

test('wait: a stop does not wait for an outage; what was held is counted once after the restart', async () => {
  const { log, pipeline, origin, life } = rig()
  const built = await life('wait')
  log.send('orders-0', event(10_000, 'u1'))
  await pipeline.pass(1_000)
  origin.fault = away
  log.send('orders-0', event(10_001, 'u2', 'p2'))
  await pipeline.pass(1_000)
  built.stop()
  assert.equal(await built.finished(1_000), 'stopped')
  origin.fault = undefined
  const again = await life('wait')
  await pipeline.pass(1_000)
  again.source.end()
  assert.equal(await again.finished(), 'ended')
  assert.deepEqual(
    pipeline.stored(),
    new Map([
      ['loan.count cash 10', 1],
      ['loan.count card 10', 1],
    ]),
  )
})

test('unknown: reading goes on, and a key stays unknown in its window when the origin is back', async () => {
  const { log, pipeline, origin, life } = rig()
  const built = await life('unknown')
  origin.fault = away
  log.send('orders-0', event(10_000, 'u1'))
  await pipeline.pass(1_000)
  origin.fault = undefined
  await pipeline.pass(6_000)
  log.send('orders-0', event(10_001, 'u2'), event(11_000, 'u2'))
  await pipeline.pass(1_000)
  built.source.end()
  assert.equal(await built.finished(), 'ended')
  assert.deepEqual(
    pipeline.stored(),
    new Map([
      ['loan.count unknown 10', 2],
      ['loan.count cash 11', 1],
    ]),
  )
})

test('killed after a checkpoint, a window goes on with the values it had, whatever the origin says by then', async () => {
  const { log, pipeline, origin, life } = rig()
  const built = await life('wait')
  log.send('orders-0', event(10_000, 'u1'))
  await pipeline.pass(15_000)
  log.send('orders-0', event(10_001, 'u2'))
  await pipeline.pass(1_000)
  built.source.fail(new WardenError('source_unreachable', 'killed'))
  await built.finished()
  origin.entries = { p1: 'moved' }
  const again = await life('wait')
  log.send('orders-0', event(10_002, 'u3'), event(11_000, 'u3'))
  await pipeline.pass(1_000)
  again.source.end()
  assert.equal(await again.finished(), 'ended')
  assert.deepEqual(
    pipeline.stored(),
    new Map([
      ['loan.count cash 10', 3],
      ['loan.count moved 11', 1],
    ]),
  )
})

test('what no waiting cures ends the pipeline with its name', async () => {
  const { log, origin, life, pipeline } = rig()
  const built = await life('wait')
  origin.fault = new WardenError('enrich_refused', 'WRONGPASS')
  log.send('orders-0', event(10_000, 'u1'))
  await pipeline.pass(1_000)
  const outcome = built.outcome
  assert.ok(outcome instanceof WardenError)
  assert.equal(outcome.code, 'enrich_refused')
})
