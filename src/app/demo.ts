import { readFileSync, rmSync } from 'node:fs'
import type { Config } from '../config/config.ts'
import { parseConfig } from '../config/load.ts'
import type { Pane } from '../core/pane.ts'
import { runJob } from './run-job.ts'
import { createTelemetry } from './telemetry.ts'

export interface DemoOptions {
  /** Where `.warden/demo` lies: the state of the demo. */
  readonly directory: string
  /** Begin anew instead of going on where the last demo stopped. */
  readonly fresh: boolean
  /** Ends after so many windows; undefined: at Ctrl-C. */
  readonly windows: number | undefined
  readonly version: string
  readonly print: (text: string) => void
}

const demoFile = new URL('../../config/demo.yaml', import.meta.url)

/** The main job on made-up events and the embedded store, shown as it happens. */
export async function runDemo(options: DemoOptions, stop: AbortSignal): Promise<void> {
  const config = demoConfig(options.directory)
  if (options.fresh) rmSync(config.stateDir, { recursive: true, force: true })
  const { print } = options
  const telemetry = createTelemetry({ ...config, log: { level: 'warn' } })
  const enough = new AbortController()
  const table = new WindowTable(print)
  const outcome = await runJob(
    {
      config,
      telemetry,
      version: options.version,
      dropMetrics: new Set(),
      onListening: (url) => print(introduction(config, url)),
      onPanes: (panes) => {
        table.show(panes)
        if (options.windows !== undefined && table.windows >= options.windows) enough.abort()
      },
    },
    AbortSignal.any([stop, enough.signal]),
  )
  print(
    outcome === 'stopped'
      ? `\nStopped; everything counted is kept in ${config.stateDir}. Start again to go on where it stopped, or with --fresh to begin anew.\n`
      : '\nEnded.\n',
  )
}

function demoConfig(directory: string): Config {
  return parseConfig(readFileSync(demoFile, 'utf8'), {
    file: 'config/demo.yaml',
    directory,
    env: process.env,
    readFile: (path) => readFileSync(path, 'utf8'),
  })
}

function introduction(config: Config, url: string): string {
  const prefix = config.sinks[0]?.prefix ?? ''
  const query = `${url}/api/query?start=60d-ago&m=none:${prefix}apply.rate`
  return `Warden counts made-up lending events: users whose loan fails try again, and each counts once an hour.
Half an hour of event time goes by each second; an hour is shown when it is complete.

  the data, as OpenTSDB gives it   curl -g '${query}'
  its metrics                      curl '${url}/api/suggest?type=metrics'
  Warden about itself              curl ${url}/metrics   ${url}/health/ready
  Grafana                          an OpenTSDB data source (version 2.4) at ${url}

Ctrl-C stops; started again it goes on where it stopped.
`
}

const header = `
window (UTC)             series                              events    users   raw rate   rate
`

/** Windows as lines of a table. */
class WindowTable {
  windows = 0
  readonly #print: (text: string) => void
  #lastStart = 0

  constructor(print: (text: string) => void) {
    this.#print = print
  }

  show(panes: readonly Pane[]): void {
    const lines: string[] = []
    for (const pane of panes) {
      if (pane.windowStart !== this.#lastStart && pane.firing === 'on-time') {
        this.#lastStart = pane.windowStart
        if (this.windows % 4 === 0) lines.push(header.trimEnd())
        this.windows++
      }
      lines.push(this.#line(pane))
    }
    if (lines.length > 0) this.#print(`${lines.join('\n')}\n`)
  }

  #line(pane: Pane): string {
    const { events = 0, users = 0, rate, rawRate } = pane.values
    const window = new Date(pane.windowStart).toISOString().slice(0, 16).replace('T', ' ')
    const revised = pane.revision > 0 ? `   late data, revision ${pane.revision}` : ''
    return [
      window.padEnd(25),
      Object.values(pane.tags).join(' / ').padEnd(32),
      String(events).padStart(10),
      String(users).padStart(9),
      percent(rawRate).padStart(11),
      percent(rate).padStart(9),
      revised,
    ].join('')
  }
}

const percent = (share: number | undefined): string =>
  share === undefined ? '–' : `${(share * 100).toFixed(1)} %`
