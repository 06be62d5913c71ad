import assert from 'node:assert/strict'
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { StateCopier, stateDirectory } from '../../../src/app/savepoints.ts'
import { readFacts } from '../../../src/app/state-facts.ts'
import { StateReplica } from '../../../src/app/state-replica.ts'
import { beginTenure, takeOverState } from '../../../src/app/take-over.ts'
import type { StateOperation } from '../../../src/core/state-store.ts'
import { durationMs, epochMs } from '../../../src/core/time.ts'
import { LeaseTerm } from '../../../src/lease/lease-term.ts'
import { readJobState } from '../../../src/pipeline/job-state.ts'
import { LmdbStateStore } from '../../../src/state/lmdb-state-store.ts'
import { RecordingLogger } from '../../support/recording-logger.ts'
import { RecordingMetrics } from '../../support/recording-metrics.ts'
import { VirtualClock } from '../../support/virtual-clock.ts'

const root = mkdtempSync(join(tmpdir(), 'warden-take-over-'))
after(() => rmSync(root, { recursive: true, force: true }))
let count = 0

/** Machines of one job: a state each, and one directory of replicas. */
function machines(names: readonly string[]) {
  const place = join(root, String(count++))
  mkdirSync(join(place, 'shared'), { recursive: true })
  return names.map((name) => ({
    stateDir: join(place, name),
    job: 'lending',
    state: {
      savepoints: { directory: join(place, name, 'savepoints'), retain: 3 },
      replica: { directory: join(place, 'shared'), intervalMs: durationMs(60_000) },
    },
  }))
}

type Machine = ReturnType<typeof machines>[number]

const put = (key: string, value: string): StateOperation => ({
  kind: 'put',
  key,
  value: Buffer.from(value),
})

function checkpoint(number: number, incarnation: number): StateOperation[] {
  const job = { format: 3, job: 'lending', hashKey: 'aa', incarnation, metrics: [] }
  return [
    put('job', JSON.stringify(job)),
    put('checkpoint', String(number)),
    put('side/dead', '100'),
    put('side/dead/medium', 'file dead.jsonl'),
  ]
}

const telemetry = (at = Date.UTC(2026, 0, 5)) => ({
  clock: new VirtualClock(epochMs(at)),
  logger: new RecordingLogger(),
  metrics: new RecordingMetrics(),
})

async function write(machine: Machine, operations: readonly StateOperation[]): Promise<void> {
  const store = new LmdbStateStore(stateDirectory(machine))
  await store.commit(operations)
  await store.close()
}

async function copy(machine: Machine, at?: number): Promise<void> {
  const store = new LmdbStateStore(stateDirectory(machine))
  const own = telemetry(at)
  await new StateReplica(machine, new StateCopier(machine, store, '1', own), own).write()
  await store.close()
}

async function look(machine: Machine) {
  const store = new LmdbStateStore(stateDirectory(machine))
  const { checkpoint: number, incarnation } = readFacts(store)
  const side = [...store.range('side/', 'side0')].length
  await store.close()
  return { checkpoint: number, incarnation, side }
}

/** As a new leader does. */
async function lead(machine: Machine, holder: string, at?: number): Promise<number> {
  const own = telemetry(at)
  await takeOverState(machine, own)
  const store = new LmdbStateStore(stateDirectory(machine))
  const state = readJobState(store, 'lending')
  assert.ok(state !== undefined)
  const { incarnation } = await beginTenure(machine, store, state, holder, own)
  await store.close()
  return incarnation
}

const pair = (): readonly [Machine, Machine] => {
  const [a, b] = machines(['a', 'b'])
  assert.ok(a !== undefined && b !== undefined)
  return [a, b]
}

test('a standby without state goes on from the newest replica, and its side outputs begin behind what its files hold', async () => {
  const [a, b] = pair()
  await write(a, checkpoint(7, 100))
  await copy(a)
  await write(a, checkpoint(9, 100))
  await takeOverState(b, telemetry())
  const { checkpoint: number, incarnation, side } = await look(b)
  assert.equal(number, 7)
  assert.ok(incarnation > 100)
  assert.equal(side, 0)
})

test('the own state is kept where no replica is newer: the leader was only restarted', async () => {
  const [a] = pair()
  await write(a, checkpoint(7, 100))
  await copy(a)
  await write(a, checkpoint(9, 100))
  await takeOverState(a, telemetry())
  assert.deepEqual(await look(a), { checkpoint: 9, incarnation: 100, side: 2 })
})

test('a state that another leader has left behind gives way, however late its last checkpoint', async () => {
  const [a, b] = pair()
  await write(a, checkpoint(7, 100))
  await copy(a)
  await write(a, checkpoint(50, 100))
  const second = await lead(b, 'b')
  await write(b, checkpoint(8, second))
  await copy(b)
  await takeOverState(a, telemetry())
  const { checkpoint: number, incarnation } = await look(a)
  assert.equal(number, 8)
  assert.ok(incarnation > second)
  assert.ok(existsSync(`${stateDirectory(a)}.superseded`), 'what it had is set aside')
})

test('a machine whose clock is a day behind writes replicas that count, and does not lose them to older ones', async () => {
  const [a, b] = pair()
  const today = Date.UTC(2026, 0, 5)
  const yesterday = today - 86_400_000
  await write(a, checkpoint(7, 100))
  await copy(a, today)
  await write(a, checkpoint(8, 100))
  await copy(a, today + 1_000)
  const second = await lead(b, 'b', yesterday)
  await write(b, checkpoint(20, second))
  await copy(b, yesterday + 1_000)
  await takeOverState(a, telemetry(today + 2_000))
  assert.equal((await look(a)).checkpoint, 20)
})

test('each leader is newer than all before it, also than one that left no replica', async () => {
  const [a, b] = pair()
  await write(a, checkpoint(7, 100))
  await copy(a)
  const incarnations = [
    await lead(b, 'b', Date.UTC(2027, 0, 1)),
    await lead(a, 'a', Date.UTC(2026, 0, 5)),
    await lead(b, 'b', Date.UTC(2026, 0, 5)),
  ]
  assert.deepEqual(
    incarnations,
    incarnations.toSorted((x, y) => x - y),
  )
  assert.equal(new Set(incarnations).size, 3)
})

test('without the directory of the replicas nobody leads: it is not mounted, and the job would begin anew', async () => {
  const [a] = pair()
  rmSync(a.state.replica.directory, { recursive: true })
  await assert.rejects(takeOverState(a, telemetry()), { code: 'state_write_failed' })
})

test('a replica that is done when the lease is lost does not appear', async () => {
  const [a, b] = pair()
  await write(a, checkpoint(7, 100))
  let now = 0
  const tenure = new LeaseTerm(1n, 9_000, 0, () => now)
  const store = new LmdbStateStore(stateDirectory(a))
  const own = telemetry()
  const replica = new StateReplica(a, new StateCopier(a, store, '1', own), own, tenure)
  now = 10_000
  await replica.write()
  await store.close()
  await takeOverState(b, own)
  assert.ok(!existsSync(stateDirectory(b)))
})
