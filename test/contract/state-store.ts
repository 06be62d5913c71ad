import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { StateOperation, StateStore } from '../../src/core/state-store.ts'

/** What every StateStore promises. `open` gives an empty one; `reopen` the same one after a clean or unclean end. */
export function stateStoreContract(
  name: string,
  open: () => Promise<StateStore>,
  reopen?: (store: StateStore) => Promise<StateStore>,
): void {
  const text = (value: string) => new TextEncoder().encode(value)
  const dump = (store: StateStore, from = '', to = '\uffff') =>
    [...store.range(from, to)].map(([key, value]) => [key, new TextDecoder().decode(value)])

  test(`${name}: reads what was committed, ordered by key, the end of a range excluded`, async () => {
    const store = await open()
    await store.commit([
      { kind: 'put', key: 'b/2', value: text('two') },
      { kind: 'put', key: 'a', value: text('') },
      { kind: 'put', key: 'b/1', value: text('one') },
      { kind: 'put', key: 'c', value: text('three') },
    ])
    assert.deepEqual(dump(store), [
      ['a', ''],
      ['b/1', 'one'],
      ['b/2', 'two'],
      ['c', 'three'],
    ])
    assert.deepEqual(dump(store, 'b/', 'b/2'), [['b/1', 'one']])
    assert.equal(store.get('nothing'), undefined)
    await store.close()
  })

  test(`${name}: operations apply in their order`, async () => {
    const store = await open()
    await store.commit([
      { kind: 'put', key: 'a', value: text('1') },
      { kind: 'remove-range', from: 'a', to: 'b' },
      { kind: 'put', key: 'a', value: text('2') },
      { kind: 'put', key: 'z', value: text('3') },
      { kind: 'remove', key: 'z' },
    ])
    assert.deepEqual(dump(store), [['a', '2']])
    await store.close()
  })

  test(`${name}: what a reader got stays as it was when the store changes`, async () => {
    const store = await open()
    const mine = text('before')
    await store.commit([{ kind: 'put', key: 'a', value: mine }])
    mine.fill(0)
    const read = store.get('a')
    await store.commit([{ kind: 'put', key: 'a', value: text('after!') }])
    assert.equal(new TextDecoder().decode(read), 'before')
    for (const value of [read, ...[...store.range('', '\uffff')].map(([, bytes]) => bytes)]) {
      assert.equal(value?.byteOffset, 0)
      assert.equal(value?.buffer.byteLength, value?.byteLength)
      assert.equal(Object.getPrototypeOf(value), Uint8Array.prototype)
    }
    assert.equal(new TextDecoder().decode(store.get('a')), 'after!')
    await store.close()
  })

  test(`${name}: equals a sorted map after any commits${reopen === undefined ? '' : ', reopened in between'}`, async () => {
    const key = fc.stringMatching(/^[a-c/]{1,4}$/)
    const operation: fc.Arbitrary<StateOperation> = fc.oneof(
      fc.record({
        kind: fc.constant('put' as const),
        key,
        value: fc.uint8Array({ maxLength: 20 }),
      }),
      fc.record({ kind: fc.constant('remove' as const), key }),
      fc.record({ kind: fc.constant('remove-range' as const), from: key, to: key }),
    )
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(operation, { maxLength: 8 }), { maxLength: 5 }),
        async (commits) => {
          let store = await open()
          const model = new Map<string, Uint8Array>()
          for (const operations of commits) {
            await store.commit(operations)
            for (const one of operations) {
              if (one.kind === 'put') model.set(one.key, one.value)
              else if (one.kind === 'remove') model.delete(one.key)
              else
                for (const known of [...model.keys()])
                  if (known >= one.from && known < one.to) model.delete(known)
            }
            if (reopen !== undefined) store = await reopen(store)
          }
          const expected = [...model].sort(([a], [b]) => (a < b ? -1 : 1))
          const actual = [...store.range('', '\uffff')]
          assert.deepEqual(
            actual.map(([at, value]) => [at, [...value]]),
            expected.map(([at, value]) => [at, [...value]]),
          )
          await store.close()
        },
      ),
      { numRuns: reopen === undefined ? 100 : 15 },
    )
  })
}
