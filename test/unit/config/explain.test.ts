import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { explain } from '../../../src/config/explain.ts'
import { planOf } from '../../../src/config/plan.ts'
import { configOf, configText } from '../../support/config-text.ts'

const root = fileURLToPath(new URL('../../../', import.meta.url))

function explained(text: string, env = {}, files = {}): string {
  const config = configOf(text, env, files)
  return explain(config, planOf(config))
}

describe('explain', () => {
  it('tells the whole plan of the main job', () => {
    const golden = `${root}test/golden/explain/kafka-opentsdb.txt`
    const words = explained(readFileSync(`${root}config/kafka-opentsdb.yaml`, 'utf8'))
    // UPDATE_GOLDEN=1 writes the text as it is now; read the diff before you commit it.
    if (process.env.UPDATE_GOLDEN === '1') writeFileSync(golden, words)
    assert.equal(words, readFileSync(golden, 'utf8'))
  })

  it('tells where users are remembered, and no password', () => {
    const of = (dedup: string, aggregates = '[count]') =>
      explained(
        configText({
          metric: `    window: { size: 1h }\n    dedup: ${dedup}\n    aggregates: ${aggregates}`,
        }),
        { SECRET: 'hunter2' },
      )
    assert.match(
      of('{ keep: first, backend: { type: bloom, keys: 1000000 } }'),
      /key +.*by the first event to arrive \(first\)\n +users in +a Bloom filter for each window, made for 1000000 users: at most 1% [^\n]*\n(.*\n)+ +state +.*about 3MiB a window/,
    )
    assert.match(of('{ keep: first, backend: bitmap }'), /users in +a roaring bitmap/)
    assert.match(
      of('{ backend: { type: hyperloglog, error: 2% } }', '[users]'),
      /every event counts; users are estimated[^\n]*\n +users in +a HyperLogLog.*2%\n(.*\n)+ +state +.*4KiB per series and window/,
    )
    assert.match(of('{ keep: first, per: 7d }'), /each user once in 7d of event time/)
    const redis = of(
      "{ keep: first, backend: { type: redis, url: 'redis://r:6379/1', password: '${SECRET}' } }",
    )
    assert.match(
      redis,
      /users in +redis:\/\/r:6379\/1, with a password, timeout 1s; 1000000 in a cache/,
    )
    assert.doesNotMatch(redis, /hunter2/)
  })

  it('tells who of several Wardens works', () => {
    const rest = (lease: string) => `sinks: { tsdb: { type: opentsdb, url: 'http://tsd:4242' } }
state: { replica: /mnt/warden }
ha: { lease: ${lease} }`
    assert.match(
      explained(
        configText({ rest: rest("{ type: zookeeper, servers: ['zk1:2181', '[::1]:2181'] }") }),
      ),
      /ha +one leader, by node \/warden\/\S+\/leader of ZooKeeper zk1:2181, ::1:2181, lost after 10s; a standby goes on from the newest copy in \/mnt\/warden/,
    )
    assert.match(
      explained(configText({ rest: rest('{ type: kubernetes, namespace: prod }') })),
      /ha +one leader, by Kubernetes lease prod\/warden-\S+, lost after 15s/,
    )
  })

  it('names the rules, and who is told of what', () => {
    const words = explained(
      configText({
        rest: `receivers:
  ops: { type: webhook, url: '\${HOOK}' }
  pager: { type: alertmanager, url: 'http://am:9093' }
alerts:
  rules: { dead: { kind: zero, metric: loan } }
  route: { receivers: [ops] }
  routes:
    - { match: { severity: crit }, receivers: [pager], escalate: [{ after: 15m, receivers: [ops] }] }`,
      }),
      { HOOK: 'http://hook/hunter2' },
    )
    assert.match(words, /rules +dead: zero/)
    assert.match(
      words,
      /route 1 +severity=crit → pager \(alertmanager\), after 15m ops \(webhook\)/,
    )
    assert.match(words, /default +everything → ops \(webhook\)/)
    assert.doesNotMatch(words, /hunter2/)
  })

  it('shows that there are secrets, never what they are', () => {
    const text = configText({
      source: `    event: { time: eventTime }
    tls: { ca: { file: ./ca }, cert: { file: ./ca }, key: { file: ./key } }
    sasl: { mechanism: plain, username: warden, password: '\${PASSWORD}' }`,
      rest: `server: { listen: 0.0.0.0:80, token: '\${TOKEN}' }
deadLetters: { type: kafka, brokers: ['b:1'], topic: dead, tls: true, maxRate: 5% }`,
    })
    const env = { PASSWORD: 'hunter2', TOKEN: 'hunter3' }
    const words = explained(text, env, { '/etc/warden/ca': 'CA', '/etc/warden/key': 'hunter4' })
    assert.doesNotMatch(words, /hunter/)
    assert.match(words, /127\.0\.0\.1:9092 \(TLS, SASL plain\)/)
    assert.match(words, /http:\/\/0\.0\.0\.0:80 \(with a token\)/)
    assert.match(words, /topic dead at b:1 \(TLS\); more than 5% of the records: stop/)
  })

  it('estimates the state by the windows that live at once', () => {
    const metric = '    window: { size: 1h }\n    allowedLateness: 2h\n    aggregates: [users]'
    assert.match(
      explained(configText({ metric })),
      /up to 4 windows at once; 13 B per user and window/,
    )
    const counted = '    window: { size: 1h, slide: 10m }\n    allowedLateness: 0s'
    assert.match(
      explained(configText({ metric: counted })),
      /up to 7 windows at once; a few numbers per series/,
    )
  })

  it('says which source no metric reads', () => {
    const text = configText({ metric: '    source: orders\n    window: { size: 1h }' }).replace(
      'metrics:',
      '  idle: { type: generator }\nmetrics:',
    )
    assert.match(explained(text), /source idle: generator[\s\S]*?read by +no metric/)
  })
})
