import assert from 'node:assert/strict'
import { test } from 'node:test'
import { explain } from '../../../src/config/explain.ts'
import { compareMetrics, fingerprintsOf } from '../../../src/config/fingerprint.ts'
import { planOf } from '../../../src/config/plan.ts'
import { configOf, configText } from '../../support/config-text.ts'

const metric = `    window: { size: 1h }
    dimensions:
      - { name: bizLine, lookup: { from: products, key: product } }
      - { name: owner, missing: p0, lookup: { from: products, key: ext.product, field: own, unknown: none } }
      - channel`
const products = 'enrich: { products: { type: file, path: products.yml } }'
const config = (own = metric, rest = products) => configOf(configText({ metric: own, rest }))

test('a dimension that is looked up reads its key, and takes the field of its own name unless told otherwise', () => {
  const [plan] = planOf(config()).metrics
  assert.deepEqual(plan?.dimensions, [
    {
      name: 'bizLine',
      path: ['product'],
      missing: undefined,
      lookup: { from: 'products', field: 'bizLine', unknown: 'unknown' },
    },
    {
      name: 'owner',
      path: ['ext', 'product'],
      missing: 'p0',
      lookup: { from: 'products', field: 'own', unknown: 'none' },
    },
    { name: 'channel', path: ['channel'], missing: undefined },
  ])
  assert.equal(plan?.maxKeys, 100_000)
})

test('tables have the documented defaults', () => {
  const { enrich } = config(
    metric,
    `enrich:
  products: { type: file, path: products.yml }
  shops: { type: redis, url: 'redis://127.0.0.1:6379/' }
  owners: { type: http, url: 'http://h/o/{key}', cache: { url: 'redis://127.0.0.1:6379/1' } }`,
  )
  const keyed = {
    refreshMs: 300_000,
    expireMs: 3_600_000,
    missingForMs: 60_000,
    timeoutMs: 1_000,
    batchKeys: 500,
    requests: 4,
    cacheKeys: 100_000,
    onOutage: 'wait',
  }
  const server = { username: undefined, password: undefined }
  assert.deepEqual(enrich, [
    {
      name: 'products',
      type: 'file',
      path: '/etc/warden/products.yml',
      format: 'yaml',
      key: undefined,
      maxEntries: 1_000_000,
      refreshMs: 5_000,
      timeoutMs: 10_000,
      onOutage: 'wait',
    },
    {
      ...keyed,
      name: 'shops',
      type: 'redis',
      server: { ...server, url: 'redis://127.0.0.1:6379' },
      layout: { kind: 'keys', prefix: '' },
      preload: false,
    },
    {
      ...keyed,
      name: 'owners',
      type: 'http',
      url: 'http://h/o/{key}',
      preloadUrl: undefined,
      headers: {},
      token: undefined,
      cache: { ...server, url: 'redis://127.0.0.1:6379/1' },
    },
  ])
})

const changeOf = (own: string, rest = products) => {
  const before = fingerprintsOf(planOf(config()))
  const [change] = compareMetrics(before, fingerprintsOf(planOf(config(own, rest))))
  return change?.kind
}

test('another table, field, key or word for unknown is another state; where the table lies is not', () => {
  for (const [from, to] of [
    ['key: product }', 'key: item }'],
    ['field: own', 'field: owns'],
    ['unknown: none', 'unknown: nobody'],
  ] as const) {
    assert.equal(changeOf(metric.replace(from, to)), 'refused', to)
  }
  const moved = "enrich: { products: { type: redis, url: 'redis://127.0.0.1:6379' } }"
  assert.equal(changeOf(metric, moved), 'same')
  const two = `${products.slice(0, -2)}, others: { type: file, path: o.csv } }`
  assert.equal(changeOf(metric.replace('from: products', 'from: others'), two), 'refused')
})

test('explain says where values come from and what an outage does, and no secret', () => {
  const rest = `enrich:
  products:
    type: http
    url: http://127.0.0.1:8080/products
    token: \${TOKEN}
    onOutage: unknown
    cache: { url: 'redis://127.0.0.1:6379' }`
  const read = configOf(configText({ metric, rest }), { TOKEN: 's3cret' })
  const text = explain(read, planOf(read))
  assert.match(
    text,
    /series by +bizLine from products by product \(else unknown\), owner from products\.own by ext\.product \(else none, missing: p0\), channel/,
  )
  assert.match(
    text,
    /table products: http\n.*products\n +levels +memory \(100000 keys\) → Redis redis:\/\/127\.0\.0\.1:6379 → API/,
  )
  assert.match(text, /while away +new keys are unknown in their window/)
  assert.doesNotMatch(text, /s3cret/)
})
