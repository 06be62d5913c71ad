import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { createTables } from '../../../src/app/tables.ts'
import { configOf, configText } from '../../support/config-text.ts'
import { RecordingLogger } from '../../support/recording-logger.ts'
import { RecordingMetrics } from '../../support/recording-metrics.ts'
import { startTableServer } from '../../support/table-server.ts'
import { settle, VirtualClock } from '../../support/virtual-clock.ts'

const never = new AbortController().signal

test('tables of a config answer, tell their gauges and their trouble, and leave nothing behind', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'warden-tables-'))
  t.after(() => rmSync(directory, { recursive: true }))
  const path = join(directory, 'products.csv')
  writeFileSync(path, 'name,product,bizLine\nx,p1,cash\n')
  const server = await startTableServer({ s1: { city: 'Hangzhou' } })
  t.after(() => server.close())
  const rest = `enrich:
  products: { type: file, path: ${path}, key: product }
  nothing: { type: file, path: ${directory}/nothing.csv, onOutage: unknown }
  shops: { type: http, url: '${server.url}/one/{key}', preload: '${server.url}/all' }`
  const telemetry = {
    clock: new VirtualClock(),
    logger: new RecordingLogger(),
    metrics: new RecordingMetrics(),
  }
  const tables = createTables(configOf(configText({ rest })), telemetry)
  tables.start()
  const look = async (table: string, key: string) =>
    (await tables.byName.get(table)?.lookup([key], never))?.get(key)
  const product = await look('products', 'p1')
  assert.ok(product?.kind === 'found' && typeof product.entry === 'object')
  assert.equal(product.entry.bizLine, 'cash')
  assert.equal((await look('shops', 's1'))?.kind, 'found')
  assert.equal((await look('shops', 's9'))?.kind, 'missing')
  assert.deepEqual(server.asked, [['s9']])
  assert.equal((await look('nothing', 'x'))?.kind, 'away')
  await telemetry.clock.advance(5_000)
  await settle()
  const troubles = tables.health().map(({ name, trouble }) => [name, trouble === undefined])
  assert.deepEqual(troubles, [
    ['products', true],
    ['nothing', false],
    ['shops', true],
  ])
  assert.equal(telemetry.metrics.value('warden_enrich_up', { enrich: 'nothing' }), 0)
  assert.equal(telemetry.metrics.value('warden_enrich_entries', { enrich: 'shops' }), 2)
  await tables.stop()
  assert.equal(telemetry.clock.pendingTimers(), 0)
})
