import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { cli } from '../../../src/cli.ts'
import { verbs } from '../../../src/cli-usage.ts'

const directory = mkdtempSync(join(tmpdir(), 'warden-cli-'))
after(() => rmSync(directory, { recursive: true, force: true }))

const examples = new URL('../../../config/', import.meta.url).pathname
const specs = new URL('../../golden/specs/', import.meta.url).pathname

/** One command line to its end. */
async function warden(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  let out = ''
  let err = ''
  const code = await cli(args, {
    out: (text) => {
      out += text
    },
    err: (text) => {
      err += text
    },
    env,
    directory,
    stop: AbortSignal.timeout(30_000),
  })
  return { code, out, err }
}

function file(name: string, text: string): string {
  const path = join(directory, name)
  writeFileSync(path, text)
  return path
}

test('help and version go to standard output and are fine', async () => {
  for (const args of [['--help'], ['-h'], ['help']]) {
    const { code, out, err } = await warden(args)
    assert.deepEqual([code, err], [0, ''])
    for (const verb of verbs) assert.match(out, new RegExp(`^  warden ${verb} `, 'm'))
  }
  const { version } = JSON.parse(
    readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'),
  ) as { readonly version: string }
  for (const flag of ['--version', '-V', 'version']) {
    const { code, out } = await warden([flag])
    assert.equal(code, 0)
    assert.equal(out, `warden ${version} (Node ${process.versions.node})\n`)
  }
})

test('every command has help of its own, wherever --help stands', async () => {
  for (const verb of verbs) {
    for (const args of [
      [verb, '--help'],
      [verb, '-c', 'none.yaml', '-h'],
      ['help', verb],
    ]) {
      const { code, out, err } = await warden(args)
      assert.deepEqual([code, err], [0, ''])
      assert.ok(out.startsWith(`warden ${verb} `), out)
    }
  }
})

test('help fits a terminal of 120 columns', async () => {
  const texts = await Promise.all(
    [['--help'], ...verbs.map((verb) => [verb, '-h'])].map((args) => warden(args)),
  )
  const long = texts.flatMap(({ out }) => out.split('\n')).filter((line) => line.length > 120)
  assert.deepEqual(long, [])
})

test('bad usage is exit 2, one line on standard error and nothing on standard output', async () => {
  const cases: readonly (readonly [readonly string[], RegExp])[] = [
    [['frobnicate'], /no command frobnicate, only run, check/],
    [['help', 'frobnicate'], /no command frobnicate/],
    [['run'], /^-c FILE is missing; see warden run --help$/],
    [['check'], /^-c FILE is missing; see warden check --help$/],
    [['check', 'config.yaml'], /Unexpected argument 'config.yaml'; see warden check --help$/],
    [['explain', '--colour'], /Unknown option '--colour'; see warden explain --help$/],
    [['run', '-c'], /argument missing; see warden run --help$/],
    [['test'], /name the spec files/],
    [['demo', '--windows', 'x'], /^--windows is a whole number of at least 1$/],
    [['demo', '--windows', '1.5'], /^--windows is a whole number of at least 1$/],
    [['demo', '--port', '70000'], /^--port is a whole number 0 to 65535$/],
    [['generate'], /^--to is kafka or file/],
    [['generate', '--to', 'kafka'], /^--brokers HOST:PORT,… is missing/],
    [['generate', '--to', 'kafka', '--brokers', 'a:1'], /^--topic NAME is missing/],
    [['generate', '--to', 'file'], /^--path FILE is missing/],
    [
      ['generate', '--to', 'file', '--path', 'x', '--rate', ''],
      /^--rate is a number of at least 0/,
    ],
    [
      ['generate', '--to', 'file', '--path', 'x', '--rate', '-1'],
      /'--rate' argument is ambiguous; see/,
    ],
    [['generate', '--to', 'file', '--path', 'x', '--limit', '2.5'], /^--limit is a whole number/],
    [['generate', '--to', 'file', '--path', 'x', '--start', 'soon'], /^--start is a time like/],
  ]
  for (const [args, message] of cases) {
    const { code, out, err } = await warden(args)
    assert.deepEqual([code, out], [2, ''], args.join(' '))
    assert.match(err.trimEnd(), message)
    assert.equal(err.trimEnd().split('\n').length, 1, err)
  }
  const { code, err } = await warden([])
  assert.equal(code, 2)
  assert.match(err, /warden run -c FILE/)
})

test('a config that is wrong is exit 2 and names file, line and column, for check, explain and run', async () => {
  const path = file('bad.yaml', 'job: x\nsources: {}\nmetric: {}\n')
  for (const verb of ['check', 'explain', 'run']) {
    const { code, out, err } = await warden([verb, '-c', path])
    assert.deepEqual([code, out], [2, ''])
    assert.match(err, /bad\.yaml:3:1: unknown key "metric"; did you mean "metrics"\?/)
  }
  const missing = await warden(['run', '-c', join(directory, 'none.yaml')])
  assert.equal(missing.code, 2)
  assert.match(missing.err, /none\.yaml:1:1: the file cannot be read \(ENOENT\)/)
})

test('the examples pass check, and explain says what they mean', async () => {
  for (const name of ['minimal', 'demo', 'file', 'http', 'kafka-opentsdb']) {
    const path = join(examples, `${name}.yaml`)
    assert.deepEqual(await warden(['check', '-c', path]), {
      code: 0,
      out: `${path}: ok\n`,
      err: '',
    })
    const { code, out, err } = await warden(['explain', '--config', path])
    assert.deepEqual([code, err], [0, ''])
    assert.match(out, /^job \S+\n {2}config/)
    assert.match(out, /\nmetric \S+: of source/)
    assert.match(out, /\nsink \S+: /)
  }
})

test('neither check, explain nor an error shows a secret', async () => {
  const text = (broker: string) => `job: secretive
sources:
  orders:
    type: kafka
    brokers: ['${broker}']
    topics: [loans]
    sasl: { mechanism: plain, username: warden, password: '\${PASSWORD}' }
    event: { time: t, user: u }
metrics:
  loan: { window: { size: 1h } }
server:
  listen: 0.0.0.0:4280
  token: { file: token }
`
  const secrets = ['hunter2-hunter2', 'tok-3f9c']
  file('token', `${secrets[1]}\n`)
  const env = { PASSWORD: secrets[0] ?? '' }
  const good = file('secret.yaml', text('broker:9092'))
  const bad = file('secret-bad.yaml', text('no port'))
  const answers = [
    await warden(['check', '-c', good], env),
    await warden(['explain', '-c', good], env),
    await warden(['explain', '-c', bad], env),
    await warden(['run', '-c', bad], env),
  ]
  assert.deepEqual(
    answers.map(({ code }) => code),
    [0, 0, 2, 2],
  )
  for (const { out, err } of answers) {
    for (const secret of secrets) assert.ok(!(out + err).includes(secret), out + err)
  }
})

test('--drop-metric of a name that the config does not have is bad usage, before anything is opened', async () => {
  const { code, err } = await warden([
    'run',
    '-c',
    join(examples, 'http.yaml'),
    '--drop-metric',
    'loans',
  ])
  assert.equal(code, 2)
  assert.match(err, /^--drop-metric loans: the config has no such metric, only loan;/)
})

const smallJob = (stateDir: string) => `job: small
stateDir: ${stateDir}
sources:
  log: { type: file, path: events.jsonl, event: { time: t } }
metrics:
  all: { window: { size: 1m } }
sinks: { out: { type: file, path: points.jsonl } }
server: { listen: 127.0.0.1:0 }
log: { level: error }
`

test('a job whose files end exits 0', async () => {
  file('events.jsonl', '{"t":"2026-11-20T14:00:05Z"}\n{"t":"2026-11-20T14:00:06Z"}\n')
  const answer = await warden(['run', '-c', file('small.yaml', smallJob('./small'))])
  assert.deepEqual(answer, { code: 0, out: '', err: '' })
  assert.match(readFileSync(join(directory, 'points.jsonl'), 'utf8'), /"value":2[,}]/)
})

test('a state directory that cannot be made is exit 1 and one line, no stack', async () => {
  file('a-file', '')
  const { code, err } = await warden(['run', '-c', file('nodir.yaml', smallJob('./a-file/state'))])
  assert.equal(code, 1)
  assert.match(err, /ENOTDIR/)
  assert.equal(err.trimEnd().split('\n').length, 1, err)
})

test('test ends with the line N passed, N failed, and exits 0 only if none failed', async () => {
  const good = ['windows.yaml', 'pipeline.yaml'].map((name) => join(specs, name))
  const fine = await warden(['test', ...good])
  assert.equal(fine.code, 0)
  assert.match(fine.out, /^[1-9]\d* passed, 0 failed\n$/)
  assert.equal(fine.err, '')

  const count = Number(fine.out.split(' ')[0])
  const wrong = file('wrong.yaml', spec('counts one', 7))
  const mixed = await warden(['test', ...good, wrong])
  assert.equal(mixed.code, 1)
  assert.deepEqual(mixed.out.split('\n'), [
    `${wrong}: counts one: expect[0]: expected {"key":"a","windowStart":0,"windowEnd":10,"value":7,"firing":"on-time"}, actual {"key":"a","windowStart":0,"windowEnd":10,"value":1,"firing":"on-time"}`,
    `${count} passed, 1 failed`,
    '',
  ])
})

test('test --json gives the same as JSON', async () => {
  const good = file('good.yaml', spec('counts one', 1))
  const wrong = file('wrong2.yaml', spec('counts one', 7))
  const { code, out } = await warden(['test', '--json', good, wrong])
  assert.equal(code, 1)
  const { passed, failed, cases } = JSON.parse(out)
  assert.deepEqual([passed, failed], [1, 1])
  assert.deepEqual(cases[0], { file: good, name: 'counts one', passed: true })
  assert.equal(cases[1].passed, false)
  assert.match(cases[1].reason, /^expect\[0\]: expected/)
})

test('what the writer of a spec did wrong is one line that names the place', async () => {
  mkdirSync(join(directory, 'folder.yaml'))
  const pipeline = 'pipeline: { job: x, sources: { a: { type: file, path: x, event: { time: t } } }'
  const cases: readonly (readonly [string, string, RegExp])[] = [
    [
      'row.yaml',
      '- { name: a, config: { windowSizeMs: 1 }, input: [{ ts: 1, key: a, valeu: 3 }], late: [] }',
      /a: input\[0\]: unknown field valeu\n/,
    ],
    [
      'type.yaml',
      '- { name: a, config: { windowSizeMs: 1 }, input: [{ ts: x, key: a }], late: [] }',
      /a: input\[0\]\.ts: must be integer\n/,
    ],
    [
      'config.yaml',
      `- { name: a, ${pipeline}, metrics: { m: { windw: { size: 1h } } } }, input: [], late: [] }`,
      /a: .*config\.yaml:1:1: metrics\.m: unknown key "windw"/,
    ],
    [
      'path.yaml',
      '- { name: a, pipeline: none.yaml, input: [], late: [] }',
      /a: .*none\.yaml can't be read \(ENOENT\)\n/,
    ],
    [
      'time.yaml',
      `- { name: a, ${pipeline}, metrics: { m: { window: { size: 1h } } } }, input: [{ event: {}, procTime: noon }], late: [] }`,
      /a: noon is not a time\n/,
    ],
    ['yaml.yaml', 'a: [\n', /^\S*yaml\.yaml: .* at line 2, column 1\n/],
    ['list.yaml', 'a: 1\n', /^\S*list\.yaml: a spec file is an array of cases/],
  ]
  for (const [name, text, reason] of cases) {
    const { code, out } = await warden(['test', file(name, text)])
    assert.equal(code, 1)
    assert.match(out, reason)
    assert.match(out, /\n0 passed, 1 failed\n$/)
    assert.equal(out.trimEnd().split('\n').length, 2, out)
  }
  for (const name of ['none.yaml', 'folder.yaml']) {
    const { code, out } = await warden(['test', join(directory, name)])
    assert.equal(code, 1)
    assert.match(out, /yaml: the file can't be read \(E\w+\)\n0 passed, 1 failed\n$/)
  }
})

function spec(name: string, value: number): string {
  return JSON.stringify([
    {
      name,
      config: { windowSizeMs: 10, watermarks: 'explicit', agg: 'count' },
      input: [
        { partition: 0, ts: 1, key: 'a' },
        { partition: 0, watermark: 9 },
      ],
      expect: [{ key: 'a', windowStart: 0, windowEnd: 10, value, firing: 'on-time' }],
    },
  ])
}
