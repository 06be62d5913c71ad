import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { Metrics } from '../../../src/core/telemetry.ts'
import { createKafkaMeters } from '../../../src/ingest/kafka-reading.ts'
import { runSpecFile } from '../../../src/spec/run-specs.ts'
import { configOf } from '../../support/config-text.ts'

const root = fileURLToPath(new URL('../../../', import.meta.url))
const read = (path: string) => readFileSync(join(root, path), 'utf8')
const documents = [
  'README.md',
  'ARCHITECTURE.md',
  'CHANGELOG.md',
  ...readdirSync(join(root, 'docs')).map((name) => `docs/${name}`),
]

/** Fenced blocks of a language. */
function blocksOf(document: string, language: string): readonly string[] {
  return [...read(document).matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)].flatMap(
    ([, found, text = '']) => (found === language ? [text] : []),
  )
}

/** Metrics that the source registers, by name. */
function registered(): ReadonlySet<string> {
  const names = new Set<string>()
  for (const file of readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })) {
    // Dashboards ask for metrics, also by the names that Prometheus makes of a histogram.
    if (!file.endsWith('.ts') || file.startsWith('dashboards/')) continue
    for (const [, name = ''] of read(`src/${file}`).matchAll(/'(warden_[a-z_]+)'/g)) names.add(name)
  }
  // These put their names together.
  const note = (name: string) => {
    names.add(name)
    return { add: () => {}, set: () => {}, remove: () => {}, observe: () => {} }
  }
  const metrics: Metrics = { counter: note, gauge: note, histogram: note }
  createKafkaMeters('orders', metrics)
  return names
}

test('docs/operations.md lists every metric that the source registers, and no other', () => {
  const listed = [...read('docs/operations.md').matchAll(/^\| `(warden_[a-z_]+)` \|/gm)].map(
    ([, name]) => name,
  )
  assert.deepEqual(listed.toSorted(), [...registered()].toSorted())
})

test('metrics that a document names are there', () => {
  const names = registered()
  for (const document of documents) {
    for (const [, name = ''] of read(document).matchAll(/`(warden_[a-z_]*[a-z])`/g)) {
      assert.ok(names.has(name), `${document}: ${name}`)
    }
  }
})

test('every whole config in a document is good', () => {
  const configs = documents.flatMap((document) =>
    blocksOf(document, 'yaml').filter((text) => /^job: /m.test(text)),
  )
  assert.ok(configs.length > 0)
  for (const text of configs) assert.ok(configOf(text).metrics.length > 0)
})

test('every case in docs/specs.md passes', async () => {
  const surroundings = {
    readFile: (path: string) => path,
    resolve: (_: string, path: string) => path,
  }
  const specs = blocksOf('docs/specs.md', 'yaml')
  assert.equal(specs.length, 3)
  for (const text of specs) {
    for (const result of await runSpecFile('docs/specs.md', text, surroundings)) {
      assert.ok(result.passed, `${result.name}: ${result.reason}`)
    }
  }
})

test('links between documents lead somewhere', () => {
  for (const document of documents) {
    for (const [, target = ''] of read(document).matchAll(/\]\(([^)#]+)[^)]*\)/g)) {
      if (/^https?:/.test(target)) continue
      assert.ok(existsSync(join(root, dirname(document), target)), `${document} → ${target}`)
    }
  }
})

test('paths of the repository that a document names are there', () => {
  const inRepository = /`((?:src|test|docs|config|deploy|scripts)\/[\w./-]*\w\/?)`/g
  for (const document of documents) {
    for (const [, path = ''] of read(document).matchAll(inRepository)) {
      assert.ok(existsSync(join(root, path)), `${document}: ${path}`)
    }
  }
})
