import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { KeyClaims } from '../../../src/dedup/dedup-store.ts'
import { FIRST } from '../../../src/dedup/fingerprint-table.ts'
import { SharedDedup } from '../../../src/dedup/shared/shared-dedup.ts'
import { type DedupSubject, dedupStoreContract } from '../../contract/dedup-store.ts'
import { MemoryClaimServer } from '../../support/memory-claim-server.ts'
import { RecordingLogger } from '../../support/recording-logger.ts'
import { RecordingMetrics } from '../../support/recording-metrics.ts'
import { VirtualClock } from '../../support/virtual-clock.ts'

const never = new AbortController().signal

interface Subject extends DedupSubject {
  readonly server: MemoryClaimServer
  readonly dedup: SharedDedup
  readonly clock: VirtualClock
  readonly logger: RecordingLogger
}

function subject(server = new MemoryClaimServer(), cacheKeys = 16): Subject {
  const clock = new VirtualClock()
  const logger = new RecordingLogger()
  const telemetry = { clock, logger, metrics: new RecordingMetrics() }
  const options = { job: 'job', metric: 'm', cacheKeys }
  const dedup = new SharedDedup(server, options, telemetry, () => 1)
  const stores = new Map<number, ReturnType<SharedDedup['storeOf']>>()
  return {
    server,
    dedup,
    clock,
    logger,
    prepare: (claims) => dedup.prepare(claims, never),
    storeOf(slice) {
      const store = stores.get(slice) ?? dedup.storeOf()
      stores.set(slice, store)
      return store
    },
  }
}

for (const cacheKeys of [0, 16]) {
  dedupStoreContract(`shared, cache of ${cacheKeys}`, {
    open: (previous) => subject((previous as Subject | undefined)?.server, cacheKeys),
    external: true,
  })
}

function batch(users: readonly number[], from: number, partitionHash: number): KeyClaims {
  return {
    length: users.length,
    partitionHash,
    offset: Float64Array.from(users, (_, index) => from + index),
    high: Uint32Array.from(users),
    low: Uint32Array.from(users),
    slice: new Float64Array(users.length),
  }
}

async function firsts(of: Subject, claims: KeyClaims): Promise<boolean[]> {
  await of.dedup.prepare(claims, never)
  return Array.from(
    { length: claims.length },
    (_, row) => of.storeOf(0).offer(0, 0, 0, 0, 0, [], row) === FIRST,
  )
}

test('in a replay that meets the loser first, the winner still counts when it comes, also out of the cache', async () => {
  const before = subject()
  assert.deepEqual(await firsts(before, batch([5], 0, 1)), [true])
  assert.deepEqual(await firsts(before, batch([5], 0, 2)), [false])
  const replay = subject(before.server)
  assert.deepEqual(await firsts(replay, batch([5], 0, 2)), [false])
  assert.deepEqual(await firsts(replay, batch([5], 0, 1)), [true])
})

test('a claim whose answer was lost is asked again and counts once', async () => {
  const mine = subject()
  mine.server.losesAnswers = 1
  const done = firsts(mine, batch([5, 6], 0, 1))
  await mine.clock.advance(1_000)
  assert.deepEqual(await done, [true, true])
})

test('an outage is a wait, told once when it begins and once when it is over', async () => {
  const mine = subject()
  mine.server.away = true
  let done = false
  const waiting = firsts(mine, batch([5], 0, 1)).then(() => {
    done = true
  })
  await mine.clock.advance(60_000)
  assert.equal(done, false)
  mine.server.away = false
  await mine.clock.advance(5_000)
  await waiting
  assert.deepEqual(
    mine.logger.lines.map(({ level }) => level),
    ['warn', 'info'],
  )
})

test('known users cost no request, and late rows are neither asked nor kept', async () => {
  const mine = subject()
  await firsts(mine, batch([5, 6], 0, 1))
  const { requests } = mine.server
  await firsts(mine, batch([6, 5, 5], 2, 1))
  assert.equal(mine.server.requests, requests)
  const late = batch([7], 5, 1)
  late.slice[0] = Number.NaN
  await firsts(mine, late)
  assert.equal(mine.server.requests, requests)
})

test('a failed removal of past keys is logged and fails nothing', async () => {
  const mine = subject()
  await firsts(mine, batch([5], 0, 1))
  mine.server.away = true
  await mine.dedup.drop([0])
  assert.equal(mine.logger.lines.at(-1)?.level, 'warn')
  mine.server.away = false
  await mine.dedup.drop([0])
  assert.equal(mine.server.buckets.size, 0)
})
