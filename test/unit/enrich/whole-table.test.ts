import assert from 'node:assert/strict'
import { test } from 'node:test'
import { WardenError } from '../../../src/core/errors.ts'
import { durationMs } from '../../../src/core/time.ts'
import type { Answer } from '../../../src/enrich/key-table.ts'
import type { Entry, WholeOrigin } from '../../../src/enrich/origin.ts'
import { WholeTable } from '../../../src/enrich/whole-table.ts'
import { FakeOrigin } from '../../support/fake-origin.ts'
import { RecordingLogger } from '../../support/recording-logger.ts'
import { RecordingMetrics } from '../../support/recording-metrics.ts'
import { VirtualClock } from '../../support/virtual-clock.ts'

const never = new AbortController().signal
const away = () => Promise.reject(new WardenError('enrich_unreachable', 'away'))

const shown = (answers: ReadonlyMap<string, Answer>) =>
  Object.fromEntries(
    [...answers].map(([key, one]) => [key, one.kind === 'found' ? one.entry : one.kind]),
  )

class FakeFile extends FakeOrigin implements WholeOrigin {
  broken: string | undefined
  changes = 0

  version(): Promise<string> {
    return this.away ? away() : Promise.resolve(`${this.changes}`)
  }

  override all(limit: number): Promise<ReadonlyMap<string, Entry>> {
    if (this.broken === undefined) return super.all(limit)
    return Promise.reject(new WardenError('enrich_refused', this.broken))
  }

  change(entries: Record<string, Entry>, broken?: string): void {
    this.entries = entries
    this.broken = broken
    this.changes++
  }
}

function wholeRig(onOutage: 'wait' | 'unknown' = 'wait') {
  const telemetry = {
    clock: new VirtualClock(),
    logger: new RecordingLogger(),
    metrics: new RecordingMetrics(),
  }
  const origin = new FakeFile()
  const options = {
    name: 'products',
    refreshMs: durationMs(5_000),
    timeoutMs: durationMs(1_000),
    onOutage,
    maxEntries: 100,
  }
  return { table: new WholeTable(origin, options, telemetry), origin, ...telemetry }
}

test('a whole table is read anew when it has changed, and not when it has not', async () => {
  const { table, origin, clock, metrics } = wholeRig()
  table.start()
  assert.deepEqual(shown(await table.lookup(['p1', 'x'], never)), { p1: 'cash', x: 'missing' })
  await clock.advance(20_000)
  const reads = () =>
    metrics.value('warden_enrich_refreshes_total', { enrich: 'products', result: 'read' })
  assert.equal(reads(), 1)
  origin.change({ p1: 'loans' })
  await clock.advance(5_000)
  assert.deepEqual(shown(await table.lookup(['p1'], never)), { p1: 'loans' })
  assert.equal(reads(), 2)
  await table.stop()
  assert.equal(clock.pendingTimers(), 0)
})

test('a new content that is broken leaves the old one, is said once, and is tried again', async () => {
  const { table, origin, clock, logger } = wholeRig()
  table.start()
  await table.lookup(['p1'], never)
  origin.change({}, 'row 2 has 1 columns')
  await clock.advance(20_000)
  assert.deepEqual(shown(await table.lookup(['p1'], never)), { p1: 'cash' })
  assert.equal(logger.lines.filter(({ level }) => level === 'error').length, 1)
  assert.match(table.health().trouble ?? '', /row 2/)
  origin.change({ p1: 'loans' })
  await clock.advance(5_000)
  assert.deepEqual(shown(await table.lookup(['p1'], never)), { p1: 'loans' })
  assert.equal(table.health().trouble, undefined)
  await table.stop()
})

test('a table that is broken from the start is an error, not a wait', async () => {
  const { table, origin } = wholeRig()
  origin.change({}, 'no header')
  table.start()
  await assert.rejects(table.lookup(['p1'], never), { code: 'enrich_refused' })
  await table.stop()
})

test('a table that is not there yet is waited for, or its keys are away, as the policy says', async () => {
  const waits = wholeRig('wait')
  waits.origin.away = true
  waits.table.start()
  const waiting = waits.table.lookup(['p1'], never)
  await waits.clock.advance(60_000)
  waits.origin.away = false
  await waits.clock.advance(5_000)
  assert.deepEqual(shown(await waiting), { p1: 'cash' })
  await waits.table.stop()
  const goesOn = wholeRig('unknown')
  goesOn.origin.away = true
  goesOn.table.start()
  assert.deepEqual(shown(await goesOn.table.lookup(['p1'], never)), { p1: 'away' })
  await goesOn.table.stop()
})
