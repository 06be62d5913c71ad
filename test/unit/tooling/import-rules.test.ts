import assert from 'node:assert/strict'
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, test } from 'node:test'
import { cruise } from '../../../scripts/import-rules.ts'
import { root } from '../../../scripts/test-run.ts'

const directory = mkdtempSync(join(tmpdir(), 'warden-rules-'))
after(() => rmSync(directory, { recursive: true, force: true }))

/** Each file breaks the one rule that its entry names, or none. */
const cases: readonly (readonly [file: string, imports: string, rule: string | undefined])[] = [
  ['src/core/time.ts', '', undefined],
  ['src/core/reaches-out.ts', '../sink/sink.ts', 'core-imports-only-core'],
  ['src/core/reads-node.ts', 'node:fs', 'core-imports-only-core'],
  ['src/sink/sink.ts', '../core/time.ts', undefined],
  ['src/sink/outbox.ts', './sink.ts', undefined],
  ['src/sink/opentsdb-sink.ts', 'axios', undefined],
  ['src/sink/opentsdb-client.ts', './opentsdb-sink.ts', undefined],
  ['src/sink/uses-library.ts', 'axios', 'only-edges-touch-the-world'],
  ['src/sink/reads-node.ts', 'node:fs', 'only-edges-touch-the-world'],
  ['src/sink/names-edge.ts', './opentsdb-sink.ts', 'only-app-builds-edges'],
  ['src/sink/looks-left.ts', '../dedup/policy.ts', 'stages-meet-only-in-core'],
  ['src/sink/ships-dev.ts', 'fast-check', 'no-dev-dependency-ships'],
  ['src/enrich/origin.ts', '../core/time.ts', undefined],
  ['src/enrich/redis-origin.ts', '@redis/client', undefined],
  ['src/enrich/uses-library.ts', 'lru-cache', 'only-edges-touch-the-world'],
  ['src/enrich/looks-left.ts', '../dedup/policy.ts', 'stages-meet-only-in-core'],
  ['src/dedup/policy.ts', '../core/time.ts', undefined],
  ['src/config/schema.ts', 'typebox', undefined],
  ['src/config/reads-node.ts', 'node:fs', 'only-edges-touch-node'],
  ['src/state/looks-left.ts', '../sink/sink.ts', 'stages-meet-only-in-core'],
  ['src/pipeline/lane.ts', '../sink/outbox.ts', undefined],
  ['src/pipeline/names-edge.ts', '../sink/opentsdb-sink.ts', 'only-app-builds-edges'],
  ['src/pipeline/reads-config.ts', '../config/schema.ts', 'pipeline-joins-stages-only'],
  ['src/pipeline/looks-up.ts', '../app.ts', 'only-app-knows-app'],
  ['src/api/health.ts', '../sink/sink.ts', undefined],
  ['src/api/looks-inside.ts', '../sink/outbox.ts', 'api-sees-ports-only'],
  ['src/spec/runner.ts', '../pipeline/lane.ts', undefined],
  ['src/spec/uses-store.ts', '../store/series.ts', 'spec-drives-pure-parts'],
  ['src/store/series.ts', '../core/time.ts', undefined],
  ['src/store/cycle-a.ts', './cycle-b.ts', 'no-cycles'],
  // A cycle is told once, by its first file.
  ['src/store/cycle-b.ts', './cycle-a.ts', undefined],
  ['src/store/lost.ts', './nowhere.ts', 'resolvable'],
  ['src/app.ts', './sink/opentsdb-sink.ts', undefined],
  ['src/config/file-config.ts', 'node:fs', undefined],
  ['src/cli.ts', './config/file-config.ts', undefined],
  ['src/main.ts', './app.ts', undefined],
  ['src/system-clock.ts', './core/time.ts', undefined],
  ['src/cli-names-clock.ts', './system-clock.ts', 'only-app-builds-edges'],
  ['src/cli-looks-inside.ts', './sink/sink.ts', 'process-starts-the-app'],
]

test('each wall between the folders stops what it is there to stop, and nothing else', async () => {
  for (const [file, imports] of cases) {
    mkdirSync(dirname(join(directory, file)), { recursive: true })
    const statement = imports === '' ? '' : `import type * as it from '${imports}'\n`
    writeFileSync(join(directory, file), `${statement}export type Name = 'x'\n`)
  }
  for (const name of ['.dependency-cruiser.cjs', 'tsconfig.json', 'package.json']) {
    cpSync(join(root, name), join(directory, name))
  }
  symlinkSync(join(root, 'node_modules'), join(directory, 'node_modules'))
  const { violations, imports } = await cruise(directory)
  for (const [file, , rule] of cases) {
    const broken = violations.filter((line) => line.includes(`: ${file} → `))
    const names = broken.map((line) => line.slice(0, line.indexOf(':')))
    if (rule === undefined) assert.deepEqual(names, [], file)
    else assert.ok(names.includes(rule), `${file} breaks ${rule}; found: ${names.join(', ')}`)
  }
  assert.ok(imports.some(({ from, to }) => from === 'src/main.ts' && to === 'src/app.ts'))
})

test('source files that the tool does not see are violations', async () => {
  const config = join(directory, '.dependency-cruiser.cjs')
  writeFileSync(config, 'module.exports = { forbidden: [], options: { exclude: "^src/sink" } }\n')
  const { violations } = await cruise(directory)
  assert.ok(violations.includes('not seen by dependency-cruiser: src/sink/sink.ts'))
})
