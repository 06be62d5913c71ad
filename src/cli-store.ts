import { backupStore, exportPoints, importPoints, toFile } from './app/store-files.ts'
import { writeDashboards } from './app/write-dashboards.ts'
import { parse, required } from './cli-arguments.ts'
import type { Config } from './config/config.ts'
import { WardenError } from './core/errors.ts'

interface Io {
  readonly out: (text: string) => void
  readonly err: (text: string) => void
}

/** Reads a config; the command line alone knows how. */
type Load = (file: string) => Config

/** `warden store backup|export|import`. */
export async function store(args: readonly string[], io: Io, load: Load): Promise<0 | 1> {
  const text = { type: 'string' } as const
  const options = { config: { ...text, short: 'c' }, out: text, metric: text, from: text, to: text }
  const { values, positionals } = parse('store', args, options, true)
  const [action, ...files] = positionals
  const config = load(required('store', values.config, '-c FILE'))
  switch (action) {
    case 'backup': {
      const file = required('store', values.out, '--out FILE')
      const { series, bytes } = await backupStore(config, file)
      io.out(`${file}: ${series} series, ${bytes} bytes\n`)
      return 0
    }
    case 'export': {
      const file = required('store', values.out, '--out FILE')
      const choice = {
        prefix: String(values.metric ?? ''),
        fromMs: time(values.from, '--from', 0),
        toMs: time(values.to, '--to', Number.MAX_SAFE_INTEGER),
      }
      const points = await toFile(file, (output) => exportPoints(config, choice, output))
      io.out(`${file}: ${points} points\n`)
      return 0
    }
    case 'import': {
      if (files.length === 0) {
        throw new WardenError('usage', 'name the files: warden store import -c FILE FILE…')
      }
      const { stored, refused, problems } = await importPoints(config, files)
      for (const problem of problems) io.err(`${problem}\n`)
      io.out(`${stored} points stored, ${refused} lines refused\n`)
      return refused === 0 ? 0 : 1
    }
    default:
      throw new WardenError('usage', 'store backup, export or import; see warden store --help')
  }
}

/** `warden dashboards`. */
export function dashboards(args: readonly string[], io: Io, load: Load): 0 {
  const { values } = parse('dashboards', args, {
    config: { type: 'string', short: 'c' },
    out: { type: 'string' },
  })
  const directory = required('dashboards', values.out, '--out DIR')
  const config = typeof values.config === 'string' ? load(values.config) : undefined
  for (const file of writeDashboards(directory, config)) io.out(`${file}\n`)
  if (config === undefined) io.err('business.json is written with -c FILE: it shows your metrics\n')
  return 0
}

function time(text: unknown, name: string, missing: number): number {
  if (typeof text !== 'string') return missing
  const at = Date.parse(text)
  if (Number.isNaN(at))
    throw new WardenError('usage', `${name} is a time like 2026-11-20T00:00:00Z`)
  return at
}
