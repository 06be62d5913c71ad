import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { startThreadLanes } from '../../../src/app/thread-lane.ts'
import { durationMs } from '../../../src/core/time.ts'
import { FileOrigin } from '../../../src/enrich/file-origin.ts'
import { WholeTable } from '../../../src/enrich/whole-table.ts'
import { SystemClock } from '../../../src/system-clock.ts'
import { eventPlan, metricPlan } from '../../support/lane-rig.ts'
import { PipelineRig } from '../../support/pipeline-rig.ts'
import { ScriptedLog } from '../../support/scripted-source.ts'
import { until } from '../../support/until.ts'

const lookup = { from: 'products', field: 'bizLine', unknown: 'unknown' }
const metrics = [
  metricPlan({
    dimensions: [{ name: 'product', path: ['product'], missing: undefined, lookup }],
    keep: 'best',
    values: [],
    allowedLateness: durationMs(1_000_000),
  }),
]
const lines: Readonly<Record<string, string>> = { p0: 'cash', p1: 'cash', p2: 'card' }

for (const lanes of [1, 2]) {
  test(`${lanes} threads count every user once per looked-up value, from a file`, async (t) => {
    const directory = mkdtempSync(join(tmpdir(), 'warden-lookups-'))
    t.after(() => rmSync(directory, { recursive: true }))
    const users = new Map<string, Set<number>>()
    const files = [0, 1].map((file) => {
      const texts = Array.from({ length: 8_000 }, (_, n) => {
        const at = 10_000 + n
        const user = (n * 7919 + file * 31) % 997
        const product = `p${n % 4}`
        const key = `${lines[product] ?? 'unknown'} ${Math.floor(at / 1_000)}`
        users.set(key, (users.get(key) ?? new Set()).add(user))
        return `{"t":${at},"u":${user},"product":"${product}","o":"success"}\n`
      })
      const path = join(directory, `${file}.jsonl`)
      writeFileSync(path, texts.join(''))
      return path
    })
    const path = join(directory, 'products.csv')
    writeFileSync(path, 'product,bizLine\np0,cash\np1,cash\np2,card\n')
    const rig = new PipelineRig(new ScriptedLog())
    const telemetry = { clock: new SystemClock(), logger: rig.logger, metrics: rig.metrics }
    const table = new WholeTable(
      new FileOrigin({ path, format: 'csv', key: undefined, maxBytes: 1_000 }),
      {
        name: 'products',
        refreshMs: durationMs(1_000),
        timeoutMs: durationMs(5_000),
        onOutage: 'wait',
        maxEntries: 10,
      },
      telemetry,
    )
    table.start()
    t.after(() => table.stop())
    const layout = { lanes, shuffled: lanes > 1, partitions: undefined }
    const shares = lanes === 1 ? [files] : files.map((file) => [file])
    const links = startThreadLanes(
      shares.map((paths, lane) => ({
        source: {
          type: 'file',
          options: { name: 'orders', paths, follow: false, partitionPerFile: true },
        },
        place: { ...layout, lane },
        plan: eventPlan(),
        metrics,
        hashKey: new Uint8Array(16),
      })),
      telemetry,
    )
    t.after(() => Promise.all(links.map((link) => link.close())))
    const tables = new Map([['products', table]])
    const built = (
      await rig.build({ metrics, tables, lanes: { links, layout }, outboxBytes: 2 ** 24 })
    ).start()
    await until('the files are read', async () => {
      await rig.pass(100)
      return built.outcome !== undefined
    })
    assert.equal(built.outcome, 'ended')
    const stored = rig.stored()
    assert.equal(stored.size, users.size)
    for (const [key, one] of users) assert.equal(stored.get(`loan.count ${key}`), one.size, key)
    const unknown = { metric: 'loan', enrich: 'products', reason: 'missing' }
    assert.equal(rig.metrics.value('warden_enrich_unknown_keys_total', unknown), 8)
    // What threads count comes a little later than what they counted with.
    await until(
      'the threads told their metrics',
      () => rig.metrics.value('warden_enrich_unknown_events_total', { metric: 'loan' }) === 4_000,
    )
  })
}
