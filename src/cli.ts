import { readFileSync } from 'node:fs'
import { type ParseArgsConfig, parseArgs } from 'node:util'
import { runDemo } from './app/demo.ts'
import { generate } from './app/generate.ts'
import { runJob } from './app/run-job.ts'
import { runSpecFiles } from './app/run-specs.ts'
import { createTelemetry } from './app/telemetry.ts'
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

const usage = `warden: counts business events per window, once per user, and tells the truth about a zero.

  warden run -c FILE [--drop-metric NAME]…   run the job of a config until it ends or is stopped
  warden check -c FILE                       say everything that is wrong with a config
  warden explain -c FILE                     what a config means: sources, windows, keys, state, points
  warden test FILE… [--json]                 run spec files: pipelines tested on a virtual clock
  warden demo [--fresh] [--windows N]        the main job on made-up events and the embedded store
  warden generate --to kafka --brokers HOST:PORT,… --topic NAME [load options]
  warden generate --to file --path FILE [load options]
                                             lending events for trials

Load options: --rate N         events per second; 0 (default): as fast as they are taken
              --limit N        events in all; default: until stopped
              --users N        population, default 20000
              --density N      events per second of event time, default 1000
              --start TIME     event time of the first, ISO 8601; default an hour ago
              --seed N         the same seed gives the same events, default 1

  warden --help, warden --version

Exit codes: 0 fine, 1 failed, 2 bad usage or config. The first Ctrl-C (or SIGTERM) stops after a last checkpoint, a second at once.
`

/** Runs one command line. */
export async function cli(args: readonly string[], io: CliIo): Promise<ExitCode> {
  const [verb, ...rest] = args
  try {
    switch (verb) {
      case undefined:
        io.err(usage)
        return 2
      case 'help':
      case '--help':
      case '-h':
        io.out(usage)
        return 0
      case 'version':
      case '--version':
      case '-V':
        io.out(`warden ${version()} (Node ${process.versions.node})\n`)
        return 0
      case 'run':
        return await run(rest, io)
      case 'check':
      case 'explain':
        return checkOrExplain(verb, rest, io)
      case 'test':
        return await test(rest, io)
      case 'demo':
        return await demo(rest, io)
      case 'generate':
        return await load(rest, io)
      default:
        throw new WardenError('usage', `unknown command ${verb}; warden --help lists them`)
    }
  } catch (cause) {
    const error = asWardenError(cause)
    io.err(`${error.message}\n`)
    if (error.code === 'internal' && error.stack !== undefined) io.err(`${error.stack}\n`)
    return error.code === 'usage' || error.code === 'config_invalid' ? 2 : 1
  }
}

export function version(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8')
  return (JSON.parse(text) as { readonly version: string }).version
}

async function run(args: readonly string[], io: CliIo): Promise<ExitCode> {
  const { values } = parse(args, {
    config: { type: 'string', short: 'c' },
    'drop-metric': { type: 'string', multiple: true },
  })
  const config = loadConfig(required(values.config, '-c FILE'), io.env)
  const dropped = (values['drop-metric'] ?? []) as string[]
  const telemetry = createTelemetry(config)
  const outcome = await runJob(
    { config, telemetry, version: version(), dropMetrics: new Set(dropped) },
    io.stop,
  )
  telemetry.logger.info({ outcome }, 'done')
  return 0
}

function checkOrExplain(verb: 'check' | 'explain', args: readonly string[], io: CliIo): ExitCode {
  const { values } = parse(args, { config: { type: 'string', short: 'c' } })
  const file = required(values.config, '-c FILE')
  const config = loadConfig(file, io.env)
  const plan = planOf(config)
  io.out(verb === 'explain' ? explain(config, plan) : `${file}: ok\n`)
  return 0
}

async function test(args: readonly string[], io: CliIo): Promise<ExitCode> {
  const { values, positionals } = parse(args, { json: { type: 'boolean' } }, true)
  if (positionals.length === 0)
    throw new WardenError('usage', 'name the spec files: warden test FILE…')
  const results = await runSpecFiles(positionals)
  const failed = results.filter(({ passed }) => !passed)
  const passed = results.length - failed.length
  if (values.json) {
    io.out(`${JSON.stringify({ passed, failed: failed.length, cases: results }, undefined, 2)}\n`)
  } else {
    for (const { file, name, reason } of failed) io.out(`${file}: ${name}: ${reason}\n`)
    io.out(`${passed} passed, ${failed.length} failed\n`)
  }
  return failed.length === 0 ? 0 : 1
}

async function demo(args: readonly string[], io: CliIo): Promise<ExitCode> {
  const { values } = parse(args, { fresh: { type: 'boolean' }, windows: { type: 'string' } })
  await runDemo(
    {
      directory: io.directory,
      fresh: values.fresh === true,
      windows: values.windows === undefined ? undefined : number(values.windows, '--windows', 1),
      version: version(),
      print: io.out,
    },
    io.stop,
  )
  return 0
}

async function load(args: readonly string[], io: CliIo): Promise<ExitCode> {
  const text = { type: 'string' } as const
  const { values } = parse(args, {
    to: text,
    brokers: text,
    topic: text,
    path: text,
    rate: text,
    limit: text,
    users: text,
    density: text,
    start: text,
    seed: text,
  })
  const start =
    values.start === undefined ? Date.now() - 3_600_000 : Date.parse(String(values.start))
  if (Number.isNaN(start))
    throw new WardenError('usage', '--start is a time like 2026-11-20T00:00:00Z')
  const written = await generate(
    {
      to: target(values),
      rate: number(values.rate ?? '0', '--rate', 0),
      limit: values.limit === undefined ? undefined : number(values.limit, '--limit', 1),
      users: number(values.users ?? '20000', '--users', 1),
      density: number(values.density ?? '1000', '--density', 0.001),
      start,
      seed: number(values.seed ?? '1', '--seed', 0),
      print: io.err,
    },
    io.stop,
  )
  io.out(`${written} events written\n`)
  return 0
}

type Values = Readonly<Record<string, string | boolean | (string | boolean)[] | undefined>>

function target(values: Values): Parameters<typeof generate>[0]['to'] {
  if (values.to === 'kafka') {
    const brokers = required(values.brokers, '--brokers HOST:PORT').split(',')
    return { kind: 'kafka', brokers, topic: required(values.topic, '--topic NAME') }
  }
  if (values.to === 'file') return { kind: 'file', path: required(values.path, '--path FILE') }
  throw new WardenError('usage', '--to is kafka or file')
}

function parse(
  args: readonly string[],
  options: NonNullable<ParseArgsConfig['options']>,
  allowPositionals = false,
): { values: Values; positionals: string[] } {
  try {
    return parseArgs({ args: [...args], options, allowPositionals, strict: true })
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause)
    throw new WardenError('usage', `${message}; warden --help lists what there is`)
  }
}

function required(value: Values[string], name: string): string {
  if (typeof value === 'string' && value !== '') return value
  throw new WardenError('usage', `${name} is missing; warden --help shows the command`)
}

function number(text: Values[string], name: string, least: number): number {
  const value = Number(text)
  if (Number.isFinite(value) && value >= least) return value
  throw new WardenError('usage', `${name} is a number of at least ${least}`)
}
