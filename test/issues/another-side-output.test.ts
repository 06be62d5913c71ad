import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { runConfig } from '../support/run-config.ts'

const directory = mkdtempSync(join(tmpdir(), 'warden-side-'))
after(() => rmSync(directory, { recursive: true, force: true }))

test('dead letters that go to another file leave what that file holds', async () => {
  writeFileSync(join(directory, 'events.jsonl'), 'garbage\n')
  const config = (deadLetters: string) => `
job: side
sources: { orders: { type: file, path: events.jsonl, event: { time: t } } }
metrics: { loan: { window: { size: 1h }, aggregates: [count] } }
sinks: { out: { type: file, path: out.jsonl } }
deadLetters: { type: file, path: ${deadLetters} }
`
  await runConfig(directory, config('first.jsonl'))
  const kept = `${'x'.repeat(10_000)}\n`
  writeFileSync(join(directory, 'second.jsonl'), kept)
  await runConfig(directory, config('second.jsonl'))
  assert.equal(readFileSync(join(directory, 'second.jsonl'), 'utf8'), kept)
})
