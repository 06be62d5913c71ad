import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { test } from 'node:test'
import { parse } from 'yaml'
import { oneLane } from '../../../src/pipeline/lanes/lane-layout.ts'
import { type CaseResult, runSpecFile } from '../../../src/spec/run-specs.ts'

const directory = new URL('../../golden/specs/', import.meta.url).pathname
const files = readdirSync(directory).filter((name) => name.endsWith('.yaml'))
const surroundings = {
  readFile: (path: string) => readFileSync(path, 'utf8'),
  resolve: (file: string, path: string) => resolve(dirname(file), path),
}

const read = (name: string) => readFileSync(join(directory, name), 'utf8')
const run = (name: string, text: string, layout = oneLane) =>
  runSpecFile(join(directory, name), text, surroundings, layout)
const failed = (results: readonly CaseResult[]) => results.filter(({ passed }) => !passed)

for (const file of files) {
  test(`every case of ${file} passes`, async () => {
    const results = await run(file, read(file))
    assert.ok(results.length > 0)
    assert.deepEqual(failed(results), [])
  })

  for (const lanes of [2, 4]) {
    for (const shuffled of [false, true]) {
      const how = shuffled ? 'that exchange rows' : 'that keep their users'
      test(`every case of ${file} passes with ${lanes} lanes ${how}`, async () => {
        const layout = { lanes, shuffled, partitions: undefined }
        assert.deepEqual(failed(await run(file, read(file), layout)), [])
      })
    }
  }
}

test('a case whose expectation is changed anywhere fails, so that a passing case says something', async () => {
  for (const file of files) {
    for (const one of parse(read(file)) as Record<string, unknown[]>[]) {
      for (const [part, change] of [
        ['expect', (pane: Record<string, unknown>) => ({ ...pane, windowStart: 77 })],
        ['late', (event: Record<string, unknown>) => ({ ...event, ts: 77 })],
        ['deadLetters', (letter: Record<string, unknown>) => ({ ...letter, reason: 'other' })],
        ['expectWatermarks', (at: Record<string, unknown>) => ({ ...at, watermark: 77 })],
      ] as const) {
        for (const index of (one[part] ?? []).keys()) {
          const changed = one[part]?.map((entry, at) =>
            at === index ? change(entry as Record<string, unknown>) : entry,
          )
          const [result] = await run(file, JSON.stringify([{ ...one, [part]: changed }]))
          assert.equal(result?.passed, false, `${one.name} ${part}[${index}]`)
        }
      }
    }
  }
})

test('an expected pane that does not come, and one that nobody expects, fail the case', async () => {
  const [one] = parse(read('windows.yaml')) as { expect: unknown[] }[]
  assert.ok(one)
  const [missing] = await run('x', JSON.stringify([{ ...one, expect: one.expect.slice(1) }]))
  assert.match(missing?.reason ?? '', /^expect\[0\]/)
  const [extra] = await run(
    'x',
    JSON.stringify([{ ...one, expect: [...one.expect, one.expect[0]] }]),
  )
  assert.match(extra?.reason ?? '', /^expect\[2\]: expected .*actual nothing/)
})

test('an optional pane may be there or not', async () => {
  const [one] = parse(read('windows.yaml')) as { expect: unknown[] }[]
  assert.ok(one)
  const [last] = one.expect.slice(-1)
  const [there] = await run(
    'x',
    JSON.stringify([{ ...one, expect: one.expect.slice(0, -1), optionalExpect: [last] }]),
  )
  assert.equal(there?.reason, undefined)
  const [absent] = await run(
    'x',
    JSON.stringify([{ ...one, optionalExpect: [{ ...(last as object), value: 9 }] }]),
  )
  assert.equal(absent?.reason, undefined)
})

test('unknown fields, files that are no specs and cases that expect nothing are failures with a reason', async () => {
  const config = { windowSizeMs: 1000 }
  const reasonOf = async (text: string) => (await run('x', text))[0]?.reason ?? ''
  assert.match(
    await reasonOf(JSON.stringify([{ name: 'a', config, input: [], expect: [], typo: 1 }])),
    /typo/,
  )
  assert.match(
    await reasonOf(
      JSON.stringify([{ name: 'a', config: { ...config, typo: 1 }, input: [], expect: [] }]),
    ),
    /typo/,
  )
  assert.match(
    await reasonOf(JSON.stringify([{ name: 'a', config, input: [] }])),
    /nothing is expected/,
  )
  assert.match(await reasonOf('a: 1'), /array of cases/)
  assert.match(await reasonOf('- [1, 2'), /Flow sequence|must end/)
  assert.match(
    await reasonOf(
      JSON.stringify([{ name: 'a', pipeline: { metrics: {} }, input: [], expect: [] }]),
    ),
    /sources/,
  )
})
