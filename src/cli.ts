import { readFileSync } from 'node:fs'
import { testAlerts } from './app/alert-test.ts'
import { runDemo } from './app/demo.ts'
import { listDeadLetters, redriveDeadLetters, showDeadLetter } from './app/dlq.ts'
import { reportErrors } from './app/error-reports.ts'
import { generate } from './app/generate.ts'
import { runJob } from './app/run-job.ts'
import { runSpecFiles } from './app/run-specs.ts'
import { createTelemetry } from './app/telemetry.ts'
import { lint, routeExplain, runBacktest } from './cli-alerts.ts'
import { number, parse, required, type Values, whole } from './cli-arguments.ts'
import { profileJob, resetPositions, savepoint } from './cli-state.ts'
import { dashboards, store } from './cli-store.ts'
import { isVerb, usage, type Verb, verbs, verbUsage } from './cli-usage.ts'
import { explain } from './config/explain.ts'
import { loadConfig } from './config/file-config.ts'
import { planOf } from './config/plan.ts'
import { asWardenError, WardenError } from './core/errors.ts'

/** 0 fine, 1 failed, 2 bad usage or config. */
export type ExitCode = 0 | 1 | 2

export interface CliIo {
  readonly out: (text: string) => void
  readonly err: (text: string) => void
  readonly env: Readonly<Record<string, string | undefined>>
  readonly directory: string
  /** Aborted by the first SIGINT or SIGTERM. */
  readonly stop: AbortSignal
}

/** Runs one command line. */
export async function cli(args: readonly string[], io: CliIo): Promise<ExitCode> {
  const [verb, ...rest] = args
  try {
    switch (verb) {
      case undefined:
        io.err(usage)
        return 2
      case 'help':
        if (rest[0] !== undefined) return showUsage(rest[0], io)
        io.out(usage)
        return 0
      case '--help':
      case '-h':
        io.out(usage)
        return 0
      case 'version':
      case '--version':
      case '-V':
        io.out(`warden ${version()} (Node ${process.versions.node})\n`)
        return 0
      default:
        if (!isVerb(verb)) throw unknownVerb(verb)
        return rest.some(isHelp) ? showUsage(verb, io) : await runVerb(verb, rest, io)
    }
  } catch (cause) {
    const error = asWardenError(cause)
    io.err(`${error.message}\n`)
    if (isDefect(error) && error.stack !== undefined) io.err(`${error.stack}\n`)
    return error.code === 'usage' || error.code === 'config_invalid' ? 2 : 1
  }
}

const isHelp = (argument: string): boolean => argument === '--help' || argument === '-h'

function showUsage(verb: string, io: CliIo): ExitCode {
  if (!isVerb(verb)) throw unknownVerb(verb)
  io.out(verbUsage[verb])
  return 0
}

function unknownVerb(verb: string): WardenError {
  return new WardenError(
    'usage',
    `there is no command ${verb}, only ${verbs.join(', ')}; see warden --help`,
  )
}

/** Is it Warden's own fault, so that the stack helps? What the system refused (a directory, a disk) is not. */
function isDefect(error: WardenError): boolean {
  return error.code === 'internal' && !(error.cause instanceof Error && 'syscall' in error.cause)
}

async function runVerb(verb: Verb, args: readonly string[], io: CliIo): Promise<ExitCode> {
  switch (verb) {
    case 'run':
      return await run(args, io)
    case 'check':
    case 'explain':
      return checkOrExplain(verb, args, io)
    case 'test':
      return await test(args, io)
    case 'demo':
      return await demo(args, io)
    case 'generate':
      return await load(args, io)
    case 'dlq':
      return await dlq(args, io)
    case 'savepoint':
      return await savepoint(args, stateIo(io))
    case 'reset':
      return await resetPositions(args, stateIo(io))
    case 'profile':
      return await profileJob(args, stateIo(io))
    case 'alert':
      if (args[0] !== 'route') return await alert(args, io)
      if (args[1] !== 'explain') throw new WardenError('usage', 'write warden alert route explain')
      return routeExplain(args.slice(2), io, (file) => loadConfig(file, io.env))
    case 'lint':
      return lint(args, io, (file) => loadConfig(file, io.env), Date.now())
    case 'backtest':
      return await runBacktest(args, io, (file) => loadConfig(file, io.env))
    case 'store':
      return await store(args, io, (file) => loadConfig(file, io.env))
    case 'dashboards':
      return dashboards(args, io, (file) => loadConfig(file, io.env))
  }
}

const stateIo = (io: CliIo) => ({
  out: io.out,
  version: version(),
  load: (file: string) => loadConfig(file, io.env),
})

export function version(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8')
  return (JSON.parse(text) as { readonly version: string }).version
}

async function run(args: readonly string[], io: CliIo): Promise<ExitCode> {
  const { values } = parse('run', args, {
    config: { type: 'string', short: 'c' },
    'drop-metric': { type: 'string', multiple: true },
  })
  const config = loadConfig(required('run', values.config, '-c FILE'), io.env)
  const dropMetrics = new Set((values['drop-metric'] ?? []) as string[])
  const known = new Set(config.metrics.map(({ name }) => name))
  for (const name of dropMetrics) {
    if (!known.has(name))
      throw new WardenError(
        'usage',
        `--drop-metric ${name}: the config has no such metric, only ${[...known].join(', ')}; the state of metrics that are gone from the config is dropped without it`,
      )
  }
  const own = createTelemetry(config)
  const about = { release: version(), job: config.job }
  const { logger, flush } = await reportErrors(own.logger, io.env.SENTRY_DSN, about)
  const telemetry = { ...own, logger }
  const onStuck = () => process.exit(1)
  const options = { config, telemetry, version: version(), dropMetrics, onStuck }
  try {
    const outcome = await runJob(options, io.stop)
    telemetry.logger.info({ outcome }, 'done')
    return 0
  } catch (cause) {
    const { code, message } = asWardenError(cause)
    telemetry.logger.error({ code, reason: message }, 'the job failed for good')
    throw cause
  } finally {
    await flush()
  }
}

function checkOrExplain(verb: 'check' | 'explain', args: readonly string[], io: CliIo): ExitCode {
  const { values } = parse(verb, args, { config: { type: 'string', short: 'c' } })
  const file = required(verb, values.config, '-c FILE')
  const config = loadConfig(file, io.env)
  const plan = planOf(config)
  io.out(verb === 'explain' ? explain(config, plan) : `${file}: ok\n`)
  return 0
}

async function test(args: readonly string[], io: CliIo): Promise<ExitCode> {
  const { values, positionals } = parse('test', args, { json: { type: 'boolean' } }, true)
  if (positionals.length === 0)
    throw new WardenError('usage', 'name the spec files: warden test FILE…')
  const cases = await runSpecFiles(positionals)
  const failures = cases.filter(({ passed }) => !passed)
  const failed = failures.length
  const passed = cases.length - failed
  if (values.json) io.out(`${JSON.stringify({ passed, failed, cases }, undefined, 2)}\n`)
  else {
    for (const { file, name, reason } of failures) {
      io.out(`${name === file ? file : `${file}: ${name}`}: ${reason}\n`)
    }
    io.out(`${passed} passed, ${failed} failed\n`)
  }
  return failed === 0 ? 0 : 1
}

async function demo(args: readonly string[], io: CliIo): Promise<ExitCode> {
  const text = { type: 'string' } as const
  const options = { fresh: { type: 'boolean' }, windows: text, port: text } as const
  const { values } = parse('demo', args, options)
  await runDemo(
    {
      directory: io.directory,
      fresh: values.fresh === true,
      windows: whole(values.windows, '--windows', 1),
      port: whole(values.port, '--port', 0, 65_535),
      version: version(),
      print: io.out,
    },
    io.stop,
  )
  return 0
}

async function load(args: readonly string[], io: CliIo): Promise<ExitCode> {
  const names = 'to brokers topic path rate limit users density start seed'.split(' ')
  const options = Object.fromEntries(names.map((name) => [name, { type: 'string' as const }]))
  const { values } = parse('generate', args, options)
  const start =
    values.start === undefined ? Date.now() - 3_600_000 : Date.parse(String(values.start))
  if (Number.isNaN(start))
    throw new WardenError('usage', '--start is a time like 2026-11-20T00:00:00Z')
  const written = await generate(
    {
      to: target(values),
      rate: number(values.rate, '--rate', 0) ?? 0,
      limit: whole(values.limit, '--limit', 1),
      users: whole(values.users, '--users', 1) ?? 20_000,
      density: number(values.density, '--density', 0.001) ?? 1_000,
      start,
      seed: whole(values.seed, '--seed', 0, 2 ** 32 - 1) ?? 1,
      print: io.err,
    },
    io.stop,
  )
  io.out(`${written} events written\n`)
  return 0
}

async function dlq(args: readonly string[], io: CliIo): Promise<ExitCode> {
  const text = { type: 'string' } as const
  const { values, positionals } = parse(
    'dlq',
    args,
    {
      config: { type: 'string', short: 'c' },
      reason: text,
      sink: text,
      limit: text,
      file: text,
      overwrite: { type: 'boolean' },
    },
    true,
  )
  const [action, ...rest] = positionals
  const numbers = rest.map((one) => whole(one, 'the number of a dead letter', 1) ?? 0)
  const options = {
    config: loadConfig(required('dlq', values.config, '-c FILE'), io.env),
    reason: typeof values.reason === 'string' ? values.reason : undefined,
    sink: typeof values.sink === 'string' ? values.sink : undefined,
    file: typeof values.file === 'string' ? values.file : undefined,
    print: io.out,
  }
  switch (action) {
    case 'list':
      await listDeadLetters(options, whole(values.limit, '--limit', 1) ?? 50)
      return 0
    case 'show':
      for (const number of numbers) await showDeadLetter(options, number)
      if (numbers.length > 0) return 0
      throw new WardenError('usage', 'name the dead letters: warden dlq show -c FILE N…')
    case 'redrive': {
      const overwrite = values.overwrite === true
      return (await redriveDeadLetters(options, new Set(numbers), overwrite)) ? 0 : 1
    }
    default:
      throw new WardenError('usage', 'dlq list, show or redrive; see warden dlq --help')
  }
}

async function alert(args: readonly string[], io: CliIo): Promise<ExitCode> {
  const text = { type: 'string' } as const
  const options = { config: { ...text, short: 'c' }, receiver: text }
  const { values, positionals } = parse('alert', args, options, true)
  if (positionals.length !== 1 || positionals[0] !== 'test') {
    throw new WardenError('usage', 'write warden alert test; see warden alert --help')
  }
  const config = loadConfig(required('alert', values.config, '-c FILE'), io.env)
  const receiver = values.receiver === undefined ? undefined : String(values.receiver)
  const tests = await testAlerts(config, receiver, createTelemetry(config).clock, io.stop)
  for (const { receiver: name, type, result } of tests) {
    const what = result.kind === 'sent' ? 'took the message' : `${result.kind}: ${result.reason}`
    io.out(`${name} (${type}): ${what}\n`)
  }
  return tests.every(({ result }) => result.kind === 'sent') ? 0 : 1
}

function target(values: Values): Parameters<typeof generate>[0]['to'] {
  if (values.to === 'kafka') {
    const brokers = required('generate', values.brokers, '--brokers HOST:PORT,…').split(',')
    const topic = required('generate', values.topic, '--topic NAME')
    return { kind: 'kafka', brokers, topic }
  }
  if (values.to === 'file') {
    return { kind: 'file', path: required('generate', values.path, '--path FILE') }
  }
  throw new WardenError('usage', '--to is kafka or file; see warden generate --help')
}
