import assert from 'node:assert/strict'
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { stringify } from 'yaml'
import { FileOrigin } from '../../../src/enrich/file-origin.ts'
import type { Entry } from '../../../src/enrich/origin.ts'
import type { TableFormat } from '../../../src/enrich/table-entries.ts'
import { originContract } from '../../contract/origin.ts'

const directory = mkdtempSync(join(tmpdir(), 'warden-tables-'))
after(() => rmSync(directory, { recursive: true, force: true }))
let files = 0

const texts: Readonly<Record<string, (entries: Readonly<Record<string, Entry>>) => string>> = {
  csv: (entries) => {
    const quoted = (text: string) => `"${text.replaceAll('"', '""')}"`
    const rows = Object.entries(entries).map(([key, entry]) =>
      typeof entry === 'string'
        ? ''
        : [key, entry.bizLine, entry.owner].map((one) => quoted(one ?? '')),
    )
    return `\ufeffproduct,bizLine,owner\r\n${rows.map(String).join('\r\n')}\r\n\r\n`
  },
  json: (entries) => JSON.stringify(entries),
  yaml: (entries) =>
    stringify(
      Object.entries(entries).map(([key, entry]) => ({ product: key, ...(entry as object) })),
    ),
}

for (const format of ['csv', 'json', 'yaml'] as const) {
  originContract(
    `file (${format})`,
    async (entries) => {
      const path = join(directory, `table${files++}.${format}`)
      writeFileSync(path, texts[format]?.(entries) ?? '')
      const key = format === 'yaml' ? 'product' : undefined
      return {
        origin: new FileOrigin({ path, format, key, maxBytes: 2 ** 20 }),
        takeAway: async () => renameSync(path, `${path}.away`),
        restore: async () => renameSync(`${path}.away`, path),
        close: async () => {},
      }
    },
    { all: true },
  )
}

function origin(format: TableFormat, text: string, key?: string) {
  const path = join(directory, `table${files++}.${format}`)
  writeFileSync(path, text)
  return { path, file: new FileOrigin({ path, format, key, maxBytes: 100 }) }
}

test('scalars are entries of their own, and numbers and booleans are their texts', async () => {
  const { file } = origin('yaml', 'p1: cash\np2: 7\np3: { vip: true, none: null }\n')
  const found = await file.all(10)
  assert.equal(found.get('p1'), 'cash')
  assert.equal(found.get('p2'), '7')
  assert.deepEqual({ ...(found.get('p3') as object) }, { vip: 'true' })
})

test('a file that is no table is refused, saying what is wrong', async () => {
  const cases: readonly (readonly [TableFormat, string, string | undefined, RegExp])[] = [
    ['csv', '', undefined, /no row with the names of the columns/],
    ['csv', 'a,b\n1\n', undefined, /row 2 has 1 columns, the first has 2/],
    ['csv', 'a,b\n1,"2\n', undefined, /quote in line 2 is never closed/],
    ['csv', 'a,b\n1,2\n1,3\n', undefined, /key 1 stands there twice/],
    ['csv', 'a,b\n1,2\n', 'c', /no column c; there are a, b/],
    ['json', '{', undefined, /JSON/],
    ['json', '[{"a": 1}]', undefined, /nothing says which field is the key/],
    ['json', '[{"a": 1}]', 'b', /element 1 of the list has no field b/],
    ['yaml', 'a: [1]', undefined, /entry of a is neither a text nor an object/],
    ['yaml', 'just a text', undefined, /neither an object nor a list/],
    ['csv', `a,b\n${'1'.repeat(100)},2\n`, undefined, /bytes; the bound is 100/],
  ]
  for (const [format, text, key, message] of cases) {
    const { file } = origin(format, text, key)
    await assert.rejects(file.all(10), { code: 'enrich_refused', message })
  }
  const { file } = origin('csv', 'a\n1\n2\n3\n')
  await assert.rejects(file.all(2), {
    code: 'enrich_refused',
    message: /3 entries; the bound is 2/,
  })
})

test('a file that was replaced, even by one as long, has another version', async () => {
  const { path, file } = origin('csv', 'a,b\n1,2\n')
  const before = await file.version()
  assert.equal(await file.version(), before)
  writeFileSync(`${path}.new`, 'a,b\n1,3\n')
  renameSync(`${path}.new`, path)
  assert.notEqual(await file.version(), before)
})
