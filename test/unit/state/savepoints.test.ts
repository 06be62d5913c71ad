import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { fastify } from 'fastify'
import { restoreCopy } from '../../../src/app/savepoint-restore.ts'
import { registerSavepointRoutes } from '../../../src/app/savepoint-routes.ts'
import { StateCopier, savepointsOf, stateDirectory } from '../../../src/app/savepoints.ts'
import { asRestored, readFacts } from '../../../src/app/state-facts.ts'
import { restoreFromReplica, StateReplica } from '../../../src/app/state-replica.ts'
import type { StateOperation } from '../../../src/core/state-store.ts'
import { durationMs } from '../../../src/core/time.ts'
import { LmdbStateStore } from '../../../src/state/lmdb-state-store.ts'
import { MemoryStateStore } from '../../../src/state/memory-state-store.ts'
import { RecordingLogger } from '../../support/recording-logger.ts'
import { RecordingMetrics } from '../../support/recording-metrics.ts'
import { VirtualClock } from '../../support/virtual-clock.ts'

const root = mkdtempSync(join(tmpdir(), 'warden-savepoints-'))
after(() => rmSync(root, { recursive: true, force: true }))
let count = 0

function jobConfig(retain = 3) {
  const stateDir = join(root, String(count++))
  return {
    stateDir,
    job: 'lending',
    state: {
      savepoints: { directory: join(stateDir, 'savepoints'), retain },
      replica: { directory: join(stateDir, 'elsewhere'), intervalMs: durationMs(60_000) },
    },
  }
}

const put = (key: string, value: string): StateOperation => ({
  kind: 'put',
  key,
  value: Buffer.from(value),
})

/** What a checkpoint leaves, as far as copies look at it. */
function checkpoint(number: number, offset: number): StateOperation[] {
  const job = { format: 3, job: 'lending', hashKey: 'aa', incarnation: 100, metrics: [] }
  const partitions = { 'orders-0': { offset, identity: 'topic', watermark: 5, idle: false } }
  return [
    put('job', JSON.stringify(job)),
    put('checkpoint', String(number)),
    put('source/orders', JSON.stringify({ combined: 5, partitions, totals: {} })),
    put('outbox/0000000000000000', 'points'),
    put('outbox-cursor/local', '1 0'),
    put('metric/m/windows', 'w'),
  ]
}

function telemetry() {
  return {
    clock: new VirtualClock(),
    logger: new RecordingLogger(),
    metrics: new RecordingMetrics(),
  }
}

async function readState(directory: string) {
  const store = new LmdbStateStore(directory)
  const facts = readFacts(store)
  const keys = [...store.range('', '~')].map(([key]) => key)
  await store.close()
  return { ...facts, keys }
}

test('a savepoint says what it is of, holds the last checkpoint whole, and restoring it raises the incarnation', async () => {
  const config = jobConfig()
  const store = new LmdbStateStore(stateDirectory(config))
  await store.commit(checkpoint(7, 1_000))
  const copier = new StateCopier(config, store, '1.2.3', telemetry())
  const copy = await copier.savepoint()
  await store.commit(checkpoint(8, 2_000))
  await store.close()
  const position = { offset: 1_000, identity: 'topic' }
  assert.deepEqual(
    [copy.job, copy.format, copy.checkpoint, copy.incarnation, copy.positions, copy.version],
    ['lending', 3, 7, 100, { orders: { 'orders-0': position } }, '1.2.3'],
  )
  assert.equal(existsSync(join(config.stateDir, 'copying-savepoint')), false)
  const directory = stateDirectory(config)
  const now = new Date(Date.UTC(2026, 0, 1))
  const { before } = await restoreCopy(savepointsOf(config), copy.id, directory, 'lending', now)
  const restored = await readState(directory)
  assert.equal(restored.checkpoint, 7)
  assert.equal(restored.incarnation, now.getTime() / 1000)
  assert.ok(restored.keys.includes('outbox/0000000000000000'))
  assert.equal((await readState(before ?? '')).checkpoint, 8)
})

test('an incarnation of the future is still raised', async () => {
  const store = new MemoryStateStore()
  await store.commit(checkpoint(1, 0))
  await store.commit(asRestored(store, 'lending', 50_000))
  assert.equal(readFacts(store).incarnation, 101)
})

test('a job whose users are claimed in a Redis is not forked: under another name they would count again', async () => {
  const metrics = [{ metric: 'loan', state: { keep: '["first",{"type":"redis"}]' }, free: {} }]
  const store = new MemoryStateStore()
  await store.commit([
    put(
      'job',
      JSON.stringify({ format: 3, job: 'lending', hashKey: 'aa', incarnation: 1, metrics }),
    ),
  ])
  assert.throws(() => asRestored(store, 'trial', 1), {
    code: 'state_incompatible',
    message: /users of loan are claimed in a Redis for job lending/,
  })
  assert.ok(asRestored(store, 'lending', 1).length > 0)
})

test('a fork has another job, its counts and positions, and nothing that waits for the sinks of the first', async () => {
  const config = jobConfig()
  const store = new LmdbStateStore(stateDirectory(config))
  await store.commit(checkpoint(7, 1_000))
  const { id } = await new StateCopier(config, store, '1', telemetry()).savepoint()
  await store.close()
  const fork = join(config.stateDir, 'fork', 'state')
  await restoreCopy(savepointsOf(config), id, fork, 'trial', new Date())
  const { job, keys } = await readState(fork)
  assert.equal(job, 'trial')
  assert.deepEqual(keys, ['checkpoint', 'job', 'metric/m/windows', 'source/orders'])
})

test('beyond retain the oldest savepoints go, and a broken one is listed as such and never chosen', async () => {
  const config = jobConfig(2)
  const store = new LmdbStateStore(stateDirectory(config))
  const recorded = telemetry()
  const copier = new StateCopier(config, store, '1', recorded)
  const ids: string[] = []
  for (let number = 1; number <= 4; number++) {
    await store.commit(checkpoint(number, number))
    ids.push((await copier.savepoint()).id)
    await recorded.clock.advance(1_000)
  }
  await store.close()
  const savepoints = savepointsOf(config)
  assert.deepEqual(
    savepoints.list().map(({ id }) => id),
    [ids[3], ids[2]],
  )
  const file = join(savepoints.directory, ids[3] ?? '', 'state.mdb')
  const bytes = readFileSync(file)
  bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1
  writeFileSync(file, bytes)
  await assert.rejects(savepoints.verified(ids[3] ?? ''), {
    code: 'state_corrupt',
    message: /checksum/,
  })
  const left: string[] = []
  assert.equal((await savepoints.newestGood(({ id }) => left.push(id)))?.id, ids[2])
  assert.deepEqual(left, [ids[3]])
  const manifest = join(savepoints.directory, ids[2] ?? '', 'manifest.json')
  writeFileSync(manifest, readFileSync(manifest, 'utf8').replace('"offset": 3', '"offset": 9'))
  const [, second] = savepoints.list()
  assert.ok(second !== undefined && 'reason' in second && /damaged/.test(second.reason))
})

test('a damaged copy or a running job changes nothing', async () => {
  const config = jobConfig()
  const store = new LmdbStateStore(stateDirectory(config))
  await store.commit(checkpoint(1, 1))
  const { id } = await new StateCopier(config, store, '1', telemetry()).savepoint()
  const directory = stateDirectory(config)
  const restore = () => restoreCopy(savepointsOf(config), id, directory, 'lending', new Date())
  await assert.rejects(restore(), { code: 'state_locked' })
  await store.commit(checkpoint(2, 2))
  await store.close()
  writeFileSync(join(savepointsOf(config).directory, id, 'state.mdb'), 'x')
  await assert.rejects(restore(), { code: 'state_corrupt' })
  assert.equal((await readState(directory)).checkpoint, 2)
})

test('a copy that fails leaves nothing behind and is counted, and the next one succeeds', async () => {
  const config = jobConfig()
  const store = new LmdbStateStore(stateDirectory(config))
  await store.commit(checkpoint(1, 1))
  writeFileSync(config.state.savepoints.directory, 'a file in its way')
  const recorded = telemetry()
  const copier = new StateCopier(config, store, '1', recorded)
  await assert.rejects(copier.savepoint(), { code: 'state_write_failed' })
  assert.equal(existsSync(join(config.stateDir, 'copying-savepoint')), false)
  rmSync(config.state.savepoints.directory)
  await copier.savepoint()
  await store.close()
})

test('the running job takes one savepoint at a time over HTTP, and lists them', async () => {
  const config = jobConfig()
  const store = new LmdbStateStore(stateDirectory(config))
  await store.commit(checkpoint(1, 1))
  const server = fastify()
  const copier = new StateCopier(config, store, '1', telemetry())
  registerSavepointRoutes(server, copier, savepointsOf(config))
  const post = () => server.inject({ method: 'POST', url: '/api/savepoints' })
  const [first, second] = await Promise.all([post(), post()])
  assert.deepEqual([first.statusCode, second.statusCode], [201, 409])
  const listed = await server.inject({ url: '/api/savepoints' })
  assert.equal(listed.json()[0].id, first.json().id)
  await server.close()
  await store.close()
})

test('the replica follows its cadence, survives a failure, and is restored when the local state is gone', async () => {
  const config = jobConfig()
  const recorded = telemetry()
  const store = new LmdbStateStore(stateDirectory(config))
  await store.commit(checkpoint(1, 10))
  let failing = false
  let taken: () => void = () => {}
  const source = {
    async copyTo(path: string): Promise<void> {
      if (failing) throw new Error('no space left')
      await store.copyTo(path)
    },
  }
  const copier = new StateCopier(config, source, '1', recorded)
  const copy = copier.copy.bind(copier)
  copier.copy = (...args) => copy(...args).finally(() => taken())
  const stop = new AbortController()
  const running = new StateReplica(config, copier, recorded).run(stop.signal)
  const next = async () => {
    const done = new Promise<void>((resolve) => {
      taken = resolve
    })
    await recorded.clock.advance(60_000)
    await done
    // The loop arms its next sleep.
    await new Promise((resolve) => setImmediate(resolve))
  }
  await next()
  failing = true
  await next()
  assert.match(recorded.logger.lines.at(-1)?.message ?? '', /could not be written/)
  failing = false
  for (let number = 2; number <= 4; number++) {
    await store.commit(checkpoint(number, number * 10))
    await next()
  }
  stop.abort()
  await running
  await store.close()
  const replicas = join(config.state.replica.directory, 'lending')
  assert.equal(readdirSync(replicas).length, 2)
  assert.equal(await restoreFromReplica(config, recorded), undefined, 'there is a state')
  rmSync(stateDirectory(config), { recursive: true })
  const [newest = ''] = readdirSync(replicas).sort().reverse()
  writeFileSync(join(replicas, newest, 'state.mdb'), 'torn')
  const restored = await restoreFromReplica(config, recorded)
  assert.equal(restored?.checkpoint, 3, 'the newest is damaged, the one before is taken')
  assert.equal((await readState(stateDirectory(config))).positions.orders?.['orders-0']?.offset, 30)
  assert.match(recorded.logger.lines.at(-1)?.message ?? '', /read again/)
})

test('without state and without replica it is a first start', async () => {
  assert.equal(await restoreFromReplica(jobConfig(), telemetry()), undefined)
})
