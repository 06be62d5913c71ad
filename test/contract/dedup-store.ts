import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { DedupStore, KeyClaims } from '../../src/dedup/dedup-store.ts'
import { DUPLICATE, FIRST } from '../../src/dedup/fingerprint-table.ts'

/** An event as the suite sees it; its place in the list is its offset. */
interface Event {
  readonly user: number
  readonly slice: number
}

export interface DedupSubject {
  /** The store of a slice. */
  storeOf(slice: number): DedupStore
  /** Backends that ask elsewhere. */
  prepare?(claims: KeyClaims): Promise<void>
}

export interface DedupContract {
  /** A subject without any key. `previous`: one whose process died; what is kept outside is still there. */
  open(previous?: DedupSubject): DedupSubject
  /** Key of a user; the same user has the same. Default: hash halves. */
  key?(user: number): readonly [high: number, low: number]
  /** Share of new users that may be missed. */
  missed?: number
  /** The state is outside: a checkpoint holds no blob. */
  external?: boolean
  runs?: number
}

const halves = (user: number): readonly [number, number] => {
  const mix = (seed: number) => {
    let hash = Math.imul(user ^ seed, 0x85ebca6b)
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
    return (hash ^ (hash >>> 16)) >>> 0
  }
  return [mix(0x1234567), (mix(0x89abcdef) | 1) >>> 0]
}

/** What every backend with `keep: first` promises: one suite, run on each. */
export function dedupStoreContract(name: string, contract: DedupContract): void {
  const key = contract.key ?? halves
  const { missed = 0, runs = 40 } = contract
  const events = fc.array(
    fc.record({ user: fc.integer({ min: 1, max: 30 }), slice: fc.constantFrom(0, 3_600_000) }),
    { maxLength: 80 },
  )

  /** Offers a batch of one partition, offsets counted from `from`; gives which rows were first. */
  async function offer(
    subject: DedupSubject,
    batch: readonly Event[],
    from = 0,
    partitionHash = 7,
  ): Promise<boolean[]> {
    const claims: KeyClaims = {
      length: batch.length,
      partitionHash,
      offset: Float64Array.from(batch, (_, index) => from + index),
      high: Uint32Array.from(batch, ({ user }) => key(user)[0]),
      low: Uint32Array.from(batch, ({ user }) => key(user)[1]),
      slice: Float64Array.from(batch, ({ slice }) => slice),
    }
    await subject.prepare?.(claims)
    return batch.map(({ user, slice }, row) => {
      const [high, low] = key(user)
      const time = slice + from + row
      const code = subject.storeOf(slice).offer(high, low, 0, time, from + row, [], row)
      assert.ok(code === FIRST || code === DUPLICATE, 'keep: first by arrival withdraws nothing')
      return code === FIRST
    })
  }

  const firsts = (batch: readonly Event[]) => {
    const seen = new Set<string>()
    return batch.map(({ user, slice }) => {
      const id = `${slice}/${user}`
      if (seen.has(id)) return false
      seen.add(id)
      return true
    })
  }

  function noneTwice(counted: readonly boolean[], batch: readonly Event[]): void {
    const allowed = firsts(batch)
    assert.ok(counted.every((is, row) => !is || allowed[row]))
  }

  function restart(subject: DedupSubject, blobs: Map<number, Uint8Array[]>): DedupSubject {
    const next = contract.open(subject)
    for (const [slice, saved] of blobs) for (const blob of saved) next.storeOf(slice).load(blob)
    return next
  }

  function checkpoint(subject: DedupSubject, blobs: Map<number, Uint8Array[]>): void {
    for (const slice of [0, 3_600_000]) {
      const blob = subject.storeOf(slice).takeChanges()
      if (blob === undefined) continue
      assert.equal(contract.external, undefined)
      blobs.set(slice, [...(blobs.get(slice) ?? []), blob])
    }
  }

  test(`${name}: the first event of each user in each window is the first, every other one a duplicate`, async () => {
    await fc.assert(
      fc.asyncProperty(events, async (batch) => {
        const first = await offer(contract.open(), batch)
        if (missed === 0) assert.deepEqual(first, firsts(batch))
        else noneTwice(first, batch)
      }),
      { numRuns: runs },
    )
  })

  test(`${name}: killed after any event and replayed from the last checkpoint, each user counts once`, async () => {
    await fc.assert(
      fc.asyncProperty(events, fc.nat(80), fc.nat(80), async (batch, first, second) => {
        const [at, killed] = [first, second]
          .map((one) => Math.min(one, batch.length))
          .sort((a, b) => a - b)
        const blobs = new Map<number, Uint8Array[]>()
        const subject = contract.open()
        const counted = await offer(subject, batch.slice(0, at))
        checkpoint(subject, blobs)
        await offer(subject, batch.slice(at, killed), at)
        const resumed = restart(subject, blobs)
        const rest = await offer(resumed, batch.slice(at), at)
        const all = [...counted, ...rest]
        if (missed === 0) assert.deepEqual(all, firsts(batch))
        else noneTwice(all, batch)
      }),
      { numRuns: runs },
    )
  })

  test(`${name}: nothing new means no blob, and the same blob twice is no harm`, async () => {
    const subject = contract.open()
    const batch = [1, 2, 3].map((user) => ({ user, slice: 0 }))
    await offer(subject, batch)
    const blob = subject.storeOf(0).takeChanges()
    assert.equal(subject.storeOf(0).takeChanges(), undefined)
    if (contract.external === true) return
    assert.ok(blob)
    const next = contract.open()
    next.storeOf(0).load(blob)
    next.storeOf(0).load(blob)
    assert.deepEqual(await offer(next, batch), [false, false, false])
    assert.equal(next.storeOf(0).size, 3)
  })

  test(`${name}: of ten thousand users at most the stated share is missed, and none is counted twice`, async () => {
    const subject = contract.open()
    const users = 10_000
    const batch = Array.from({ length: users }, (_, index) => ({ user: index + 1, slice: 0 }))
    const first = await offer(subject, batch)
    const counted = first.filter(Boolean).length
    assert.ok(counted >= users * (1 - missed), `${counted} of ${users}`)
    const again = await offer(subject, batch, users)
    assert.equal(again.filter(Boolean).length, 0)
    assert.ok(subject.storeOf(0).bytes >= 0)
  })

  if (contract.external === true) return
  test(`${name}: a blob that is cut or of another layout is refused as corrupt`, async () => {
    const subject = contract.open()
    await offer(subject, [{ user: 1, slice: 0 }])
    const blob = subject.storeOf(0).takeChanges()
    assert.ok(blob)
    for (const broken of [
      blob.subarray(1),
      blob.subarray(0, blob.length - 1),
      blob.subarray(0, 3),
    ]) {
      assert.throws(() => contract.open().storeOf(0).load(broken), { code: 'state_corrupt' })
    }
  })
}
