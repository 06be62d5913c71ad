import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Entry, Origin } from '../../src/enrich/origin.ts'

export interface OriginSubject {
  readonly origin: Origin
  /** Nobody answers, or there is nothing to read, until `restore`. */
  takeAway(): Promise<void>
  restore(): Promise<void>
  close(): Promise<void>
}

/** What a table of these entries is made of; an entry that is a text stands there as one. */
export type OpenOrigin = (entries: Readonly<Record<string, Entry>>) => Promise<OriginSubject>

const never = new AbortController().signal
const p1 = { bizLine: 'cash', owner: '张三' }
const table: Readonly<Record<string, Entry>> = {
  p1,
  p2: { bizLine: 'card', owner: 'o, "2"\nof two lines' },
  'a key/with?odd &signs*': { bizLine: 'odd', owner: '' },
  __proto__x: { bizLine: 'proto', owner: 'x' },
}

/** What every origin promises: one suite, run on each. */
export function originContract(
  name: string,
  open: OpenOrigin,
  reads: { readonly all: boolean },
): void {
  const opened = async (run: (subject: OriginSubject) => Promise<void>): Promise<void> => {
    const subject = await open(table)
    try {
      await run(subject)
    } finally {
      await subject.close()
    }
  }

  test(`${name}: entries are found by key with all their fields, and a key without one is left out`, () =>
    opened(async ({ origin }) => {
      const keys = ['p1', 'nobody', 'a key/with?odd &signs*', '__proto__', 'constructor', 'p2']
      const found = await origin.lookup(keys, never)
      assert.deepEqual([...found.keys()].sort(), ['a key/with?odd &signs*', 'p1', 'p2'])
      const entry = found.get('p1')
      assert.ok(typeof entry === 'object')
      assert.equal(entry.bizLine, 'cash')
      assert.equal(entry.owner, '张三')
      const second = found.get('p2')
      assert.ok(typeof second === 'object')
      assert.equal(second.owner, 'o, "2"\nof two lines')
    }))

  test(`${name}: no key is no entry`, () =>
    opened(async ({ origin }) => {
      assert.equal((await origin.lookup(['nobody'], never)).size, 0)
    }))

  test(`${name}: many keys at once are all found`, async () => {
    const many = Object.fromEntries(
      Array.from({ length: 400 }, (_, n) => [`k${n}`, { bizLine: `b${n % 7}`, owner: 'o' }]),
    )
    const subject = await open(many)
    try {
      const found = await subject.origin.lookup(Object.keys(many), never)
      assert.equal(found.size, 400)
      const last = found.get('k399')
      assert.equal(typeof last === 'object' ? last.bizLine : last, 'b0')
    } finally {
      await subject.close()
    }
  })

  test(`${name}: while it is away every lookup says so, and the next one after that answers`, () =>
    opened(async (subject) => {
      await subject.origin.lookup(['p1'], never)
      await subject.takeAway()
      await assert.rejects(subject.origin.lookup(['p1'], never), { code: 'enrich_unreachable' })
      await assert.rejects(subject.origin.lookup(['p2'], never), { code: 'enrich_unreachable' })
      await subject.restore()
      assert.equal((await subject.origin.lookup(['p1'], never)).size, 1)
    }))

  test(`${name}: a lookup ends with its signal`, () =>
    opened(async ({ origin }) => {
      const stop = new AbortController()
      stop.abort(new Error('stop'))
      await assert.rejects(origin.lookup(['p1'], stop.signal))
    }))

  if (!reads.all) return
  test(`${name}: everything can be read ahead, up to a bound`, () =>
    opened(async ({ origin }) => {
      const all = await origin.all?.(100, never)
      assert.deepEqual([...(all?.keys() ?? [])].sort(), Object.keys(table).sort())
    }))
}
