import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { inspect } from 'node:util'
import { LineCounter, parseDocument } from 'yaml'
import { loadConfig } from '../../../src/config/file-config.ts'
import { parseInlineConfig, parseInlineValue } from '../../../src/config/load.ts'
import { ConfigError } from '../../../src/config/problem.ts'
import { configOf, configText } from '../../support/config-text.ts'

const only = <T>(list: readonly T[]): T => {
  const [first, second] = list
  if (first === undefined || second !== undefined) assert.fail(`${list.length} items`)
  return first
}

/** Messages for a text that is no config. */
function messagesOf(read: () => unknown): string[] {
  try {
    read()
  } catch (error) {
    if (error instanceof ConfigError) return error.message.split('\n')
    throw error
  }
  return []
}

describe('a config', () => {
  it('has the documented defaults where the file says nothing', () => {
    const config = configOf(configText())
    const source = only(config.sources)
    const metric = only(config.metrics)
    assert.equal(source.watermark.outOfOrdernessMs, 20_000)
    assert.equal(source.watermark.idleTimeoutMs, 60_000)
    assert.equal(source.event.maxFutureSkewMs, 600_000)
    assert.equal(metric.source, 'orders')
    assert.equal(metric.evaluationDelayMs, 60_000)
    assert.equal(metric.allowedLatenessMs, 600_000)
    assert.deepEqual(metric.zeroFill, {
      enabled: true,
      expireAfter: 604_800_000,
      whenSilent: 'gap',
    })
    assert.equal(metric.maxSeries, 100_000)
    assert.deepEqual(metric.aggregates, [{ kind: 'count', name: 'count' }])
    assert.deepEqual(config.checkpoint, {
      intervalMs: 10_000,
      timeoutMs: 600_000,
      minPauseMs: 1_000,
      toleratedFailures: 3,
    })
    assert.deepEqual(config.server.listen, { host: '127.0.0.1', port: 4280 })
    assert.deepEqual(config.sinks, [
      {
        name: 'local',
        type: 'embedded',
        prefix: 'warden.',
        timestamp: 'start',
        required: true,
        maxBacklogBytes: 2 ** 30,
      },
    ])
    assert.equal(config.stateDir, '/etc/warden/.warden/lending')
    assert.deepEqual(config.deadLetters, {
      type: 'file',
      path: '/etc/warden/.warden/lending/dead-letters.jsonl',
      maxRate: undefined,
    })
    assert.deepEqual(config.lateEvents, {
      type: 'file',
      path: '/etc/warden/.warden/lending/late-events.jsonl',
    })
    assert.equal(source.type === 'kafka' && source.group, 'warden-lending')
  })

  it('resolves relative paths against the directory of the file and keeps absolute ones', () => {
    const rest = 'stateDir: ../state/./x\nsinks: { out: { type: file, path: /var/points.jsonl } }'
    const config = configOf(configText({ rest }))
    assert.equal(config.stateDir, '/etc/state/x')
    const sink = only(config.sinks)
    assert.equal(sink.type === 'file' && sink.path, '/var/points.jsonl')
  })

  it('may be JSON', () => {
    const json = JSON.stringify({
      $schema: './warden.schema.json',
      job: 'j',
      sources: { demo: { type: 'generator', rate: 10 } },
      metrics: { m: { window: { size: '1m' } } },
    })
    const source = only(configOf(json).sources)
    assert.equal(source.type === 'generator' && source.rate, 10)
  })

  it('may use anchors and merge keys; what stands beside a merge wins', () => {
    const text = `job: j
sources: { demo: { type: generator } }
metrics:
  a: &usual
    window: { size: 1m }
    dimensions: [bizLine]
  b:
    <<: *usual
    window: { size: 5m }
`
    const [, b] = configOf(text).metrics
    assert.equal(b?.window.sizeMs, 300_000)
    assert.equal(b?.dimensions.length, 1)
  })

  it('refuses an alias that contains itself instead of running for ever', () => {
    const messages = messagesOf(() => configOf('job: j\nsources: &s\n  a: *s\nmetrics: *s\n'))
    assert.ok(messages.some((one) => one.includes('the alias contains itself')))
  })

  it('reports a missing file as one problem', () => {
    const messages = messagesOf(() => loadConfig('/no/such/warden.yaml', {}))
    assert.deepEqual(messages, [
      '/no/such/warden.yaml:1:1: the file cannot be read (ENOENT); name a config file that is there',
    ])
  })

  it('lists its problems for programs too, in the order of the file', () => {
    const text = configText({ metric: '    window: { size: 1x }', rest: 'bogus: 1' })
    try {
      configOf(text)
      assert.fail('the config was taken')
    } catch (error) {
      assert.ok(error instanceof ConfigError)
      assert.equal(error.code, 'config_invalid')
      assert.deepEqual(
        error.problems.map(({ line, column, path }) => [line, column, path]),
        [
          [10, 21, 'metrics.loan.window.size'],
          [11, 1, ''],
        ],
      )
    }
  })

  it('takes names of the user that JavaScript knows too', () => {
    const metric = `    window: { size: 1h }
    dimensions: [constructor]
    series: [{ constructor: a }]`
    const text = configText({ metric }).replaceAll('orders', 'toString')
    assert.equal(only(configOf(text).sources).name, 'toString')
    assert.deepEqual(only(configOf(text).metrics).series, [['a']])
    const messages = messagesOf(() =>
      configOf(configText({ metric: metric.replace('[{ constructor: a }]', '[{}]') })),
    )
    assert.equal(messages.length, 1)
  })
})

describe('a variable', () => {
  it('stands for text, numbers and flags alike', () => {
    const text = configText({
      metric:
        '    window: { size: "${SIZE}" }\n    maxSeries: ${MAX}\n    emitPartial: "${PARTIAL}"',
      rest: 'log: { level: "${LEVEL:-warn}" }',
    }).replace('lending', '${JOB:-j}-${STAGE}')
    const config = configOf(text, {
      SIZE: '5m',
      MAX: '17',
      PARTIAL: 'true',
      STAGE: 'prod',
      JOB: '',
    })
    assert.equal(config.job, 'j-prod')
    assert.equal(config.log.level, 'warn')
    const metric = only(config.metrics)
    assert.deepEqual(
      [metric.window.sizeMs, metric.maxSeries, metric.emitPartial],
      [300_000, 17, true],
    )
  })

  it('cannot change the shape of the config', () => {
    const text = configText().replace('[loan-events]', '["${TOPIC}"]')
    const source = only(configOf(text, { TOPIC: 'a, b]\nbogus: 1' }).sources)
    assert.deepEqual(source.type === 'kafka' && source.topics, ['a, b]\nbogus: 1'])
  })

  it('may stand in a filter, and $${ keeps it from being one', () => {
    const metric = `    window: { size: 1h }
    where: 'event == "\${EVENT}" and product == "$\${2}"'`
    const where = only(configOf(configText({ metric }), { EVENT: 'loan' }).metrics).where
    assert.equal(where?.text, 'event == "loan" and product == "${2}"')
  })

  it('does not show its value in an error', () => {
    const messages = messagesOf(() =>
      configOf(
        configText({ rest: 'outbox: { maxBytes: "${TOKEN}" }\nlog: { level: "${TOKEN}" }' }),
        {
          TOKEN: 'hunter2',
        },
      ),
    )
    assert.equal(messages.length, 2)
    assert.doesNotMatch(messages.join('\n'), /hunter2/)
  })
})

describe('a secret', () => {
  const rest = 'server: { listen: 0.0.0.0:80, token: { file: ./token } }'
  const config = configOf(configText({ rest }), {}, { '/etc/warden/token': 'hunter2\n' })

  it('is read from a file beside the config, without the line end', () => {
    assert.equal(config.server.token?.reveal(), 'hunter2')
  })

  it('is read from a variable, digits too', () => {
    const one = configOf(configText({ rest: 'server:\n  token: ${TOKEN}' }), { TOKEN: '0123' })
    assert.equal(one.server.token?.reveal(), '0123')
  })

  it('never prints itself', () => {
    const texts = [
      JSON.stringify(config),
      inspect(config, { depth: 9, showHidden: true }),
      `${config.server.token}`,
    ]
    for (const text of texts) {
      assert.doesNotMatch(text, /hunter2/)
      assert.match(text, /\*\*\*/)
    }
  })
})

describe('a config inside a spec', () => {
  const options = { file: 'specs.yaml', env: {}, readFile: () => '' }
  const value = {
    sources: { orders: { event: { time: 'eventTime', user: 'userId' }, brokers: 'not looked at' } },
    metrics: { loan: { window: { size: '1h' }, dedup: { keep: 'first' } } },
    checkpoint: { interval: 'not looked at' },
  }

  it('needs no more than metrics and event mapping', () => {
    const plan = parseInlineValue(value, options)
    assert.equal(only(plan.metrics).keep, 'first')
    assert.equal(only(plan.sources).watermark.outOfOrderness, 20_000)
    assert.equal(plan.job, 'spec')
  })

  it('is checked like any other', () => {
    const bad = { ...value, metrics: { loan: { window: { size: '1h' }, dedup: { keep: 'best' } } } }
    assert.deepEqual(messagesOf(() => parseInlineValue(bad, options)).length, 2)
  })

  it('has its mistakes at their lines in the file around it', () => {
    const text = '- name: a\n  pipeline:\n    sources: {}\n    metrcs: {}\n'
    const document = parseDocument(text, { lineCounter: new LineCounter() })
    const node = document.getIn([0, 'pipeline'], true)
    const inline = { node, document, text } as Parameters<typeof parseInlineConfig>[0]
    assert.deepEqual(
      messagesOf(() => parseInlineConfig(inline, options)).map((one) => one.split(': ')[0]),
      ['specs.yaml:3:5', 'specs.yaml:4:5'],
    )
  })
})
