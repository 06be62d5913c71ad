import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Config } from '../config/config.ts'
import { parseConfig } from '../config/load.ts'
import { WardenError } from '../core/errors.ts'
import { DemoTable } from './demo-table.ts'
import { runJob } from './run-job.ts'
import { createTelemetry } from './telemetry.ts'

export interface DemoOptions {
  /** Where `.warden/demo` lies: the state of the demo. */
  readonly directory: string
  /** Begin anew instead of going on where the last demo stopped. */
  readonly fresh: boolean
  /** Ends after so many windows; undefined: at Ctrl-C. */
  readonly windows: number | undefined
  /** Port of the server; undefined: that of config/demo.yaml. */
  readonly port: number | undefined
  readonly version: string
  readonly print: (text: string) => void
}

const demoFile = new URL('../../config/demo.yaml', import.meta.url)

/**
 * The main job on made-up events and the embedded store, shown as it happens.
 * @throws WardenError `usage` when the port is taken, `state_locked` when another demo runs in the directory
 */
export async function runDemo(options: DemoOptions, stop: AbortSignal): Promise<void> {
  const config = demoConfig(options)
  if (options.fresh) rmSync(config.stateDir, { recursive: true, force: true })
  const goesOn = existsSync(join(config.stateDir, 'state'))
  const { print } = options
  const telemetry = createTelemetry({ ...config, log: { level: 'warn' } })
  const enough = new AbortController()
  const table = new DemoTable(print, 'applyTotal')
  try {
    await runJob(
      {
        config,
        telemetry,
        version: options.version,
        dropMetrics: new Set(),
        onListening: (url) => print(introduction(config, url, goesOn)),
        onPanes: (panes) => {
          table.show(panes)
          if (options.windows !== undefined && table.windows >= options.windows) enough.abort()
        },
      },
      AbortSignal.any([stop, enough.signal]),
    )
  } catch (cause) {
    throw isPortTaken(cause) ? portTaken(config.server.listen.port, cause) : cause
  }
  print(ending(config))
}

function demoConfig(options: DemoOptions): Config {
  const config = parseConfig(readFileSync(demoFile, 'utf8'), {
    file: 'config/demo.yaml',
    directory: options.directory,
    env: process.env,
    readFile: (path) => readFileSync(path, 'utf8'),
  })
  const { server } = config
  const port = options.port ?? server.listen.port
  return { ...config, server: { ...server, listen: { ...server.listen, port } } }
}

function introduction(config: Config, url: string, goesOn: boolean): string {
  const prefix = config.sinks[0]?.prefix ?? ''
  const query = `${url}/api/query?start=60d-ago&m=none:${prefix}`
  return `Warden counts made-up loan applications. Who fails tries again, so that the log says:
half of it fails. Warden counts each user once an hour, by the best outcome.

  raw rate     successful tries ÷ tries
  user rate    users who got through ÷ users who tried

Half an hour of event time goes by each second. An hour is shown when it is complete,
and again when late events have corrected it.
${goesOn ? `It goes on where the last demo stopped; --fresh begins anew.\n` : ''}
Look at it from another terminal:
  all of them       curl -g '${query}applyTotal.rate'
  one series        curl -g '${query}apply.rate{product=gold}'
  names             curl '${url}/api/suggest?type=metrics'
  Warden itself     curl ${url}/metrics
                    curl ${url}/health/ready
  Grafana           data source OpenTSDB, version 2.4, URL ${url}

Ctrl-C stops.
`
}

function ending(config: Config): string {
  const { deadLetters, lateEvents, stateDir } = config
  const side = (what: string, output: Config['lateEvents']) =>
    output.type === 'file' ? `  ${linesOf(output.path)} ${what} in ${output.path}\n` : ''
  return `
Stopped. What was counted is kept in ${stateDir}.
${side('dead letters', deadLetters)}${side('late events (one per metric)', lateEvents)}Started again the demo goes on here; with --fresh it begins anew.
`
}

function linesOf(path: string): number {
  if (!existsSync(path)) return 0
  let lines = 0
  for (const byte of readFileSync(path)) if (byte === 0x0a) lines++
  return lines
}

const isPortTaken = (error: unknown): boolean =>
  error instanceof WardenError &&
  error.cause instanceof Error &&
  'code' in error.cause &&
  error.cause.code === 'EADDRINUSE'

function portTaken(port: number, cause: unknown): WardenError {
  const message = `port ${port} is in use, perhaps by another demo; warden demo --port N takes another one (npm run demo -- --port N)`
  return new WardenError('usage', message, { cause })
}
