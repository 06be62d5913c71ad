import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { after, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import {
  type FaultOutcome,
  type FaultSetting,
  faultOptions,
  faultRun,
  troubleMs,
} from '../support/fault-run.ts'
import { type PutFault, putFaults } from '../support/put-faults.ts'

const settings: readonly FaultSetting[] = [
  { gzip: false, connections: 1 },
  { gzip: false, connections: 4 },
  { gzip: true, connections: 1 },
  { gzip: true, connections: 4 },
]
/** Runs at the same time: nearly all of their time is waiting. */
const concurrency = 6

/** `UPDATE_TABLES=1` writes the table of this run into the document. */
const update = process.env.UPDATE_TABLES === '1'
const documentFile = fileURLToPath(new URL('../../docs/reliability.md', import.meta.url))
const outcomes = new Map<string, FaultOutcome[]>()

describe('an OpenTSDB that misbehaves loses nothing', { concurrency, timeout: 180_000 }, () => {
  for (const fault of putFaults) {
    for (const setting of settings) {
      it(`${fault.name} (${setting.gzip ? 'gzip' : 'plain'}, ${setting.connections} at once)`, async () => {
        const outcome = await faultRun(fault, setting)
        outcomes.set(fault.name, [...(outcomes.get(fault.name) ?? []), outcome])
        assert.equal(outcome.lost, 0)
        assert.equal(outcome.deadLetters, fault.refuses === undefined ? 0 : 1)
      })
    }
  }

  it('in at least 20 ways', () => {
    assert.ok(new Set(putFaults.map(({ name }) => name)).size >= 20)
  })

  after(() => {
    if (update) writeTable()
  })
})

describe('docs/reliability.md', () => {
  it('has a row for every way', () => {
    const text = readFileSync(documentFile, 'utf8')
    for (const { name } of putFaults) assert.ok(text.includes(`| ${name} |`), name)
  })
})

function writeTable(): void {
  const rows = putFaults.map((fault) => row(fault, outcomes.get(fault.name) ?? []))
  const table = [
    `Trouble of ${troubleMs} ms; timeout ${faultOptions.timeoutMs} ms, settling ${faultOptions.settleMs} ms. Largest of ${settings.length} runs each.`,
    '',
    '| OpenTSDB … | lost | dead letters | sent more than once, of 480 | time to drain, ms |',
    '|---|---|---|---|---|',
    ...rows,
  ].join('\n')
  const text = readFileSync(documentFile, 'utf8')
  const marked = /(<!-- sink-faults -->\n)[\s\S]*?(\n<!-- \/sink-faults -->)/
  writeFileSync(
    documentFile,
    text.replace(marked, (_, start, end) => `${start}${table}${end}`),
  )
}

function row(fault: PutFault, runs: readonly FaultOutcome[]): string {
  const most = (figure: keyof FaultOutcome) =>
    Math.round(Math.max(...runs.map((run) => run[figure])))
  const cells = [most('lost'), most('deadLetters'), most('twice'), most('drainMs')]
  return `| ${fault.name} | ${cells.join(' | ')} |`
}
