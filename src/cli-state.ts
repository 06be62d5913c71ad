import { profile } from './app/profile.ts'
import { maxProfileSeconds } from './app/profile-routes.ts'
import { parseTarget, reset } from './app/reset.ts'
import {
  createSavepoint,
  deleteSavepoint,
  inspectSavepoint,
  listSavepoints,
  restoreSavepoint,
} from './app/savepoint.ts'
import { parse, required, type Values } from './cli-arguments.ts'
import type { Config } from './config/config.ts'
import { WardenError } from './core/errors.ts'

/** What the verb needs of the process. */
export interface SavepointIo {
  readonly out: (text: string) => void
  readonly version: string
  readonly load: (file: string) => Config
}

/** `warden savepoint create|list|inspect|restore|delete`. */
export async function savepoint(args: readonly string[], io: SavepointIo): Promise<0> {
  const text = { type: 'string' } as const
  const { values, positionals } = parse(
    'savepoint',
    args,
    {
      config: { ...text, short: 'c' },
      from: text,
      job: text,
      url: text,
      json: { type: 'boolean' },
    },
    true,
  )
  const [action, id, ...more] = positionals
  if (more.length > 0) throw new WardenError('usage', `${more[0]} is one too many`)
  const options = {
    config: io.load(required('savepoint', values.config, '-c FILE')),
    version: io.version,
    from: textOf(values.from),
    json: values.json === true,
    print: io.out,
  }
  switch (action) {
    case 'create':
      await createSavepoint(options, textOf(values.url))
      return 0
    case 'list':
      listSavepoints(options)
      return 0
    case 'inspect':
      await inspectSavepoint(options, named(id))
      return 0
    case 'restore':
      await restoreSavepoint(options, named(id), textOf(values.job))
      return 0
    case 'delete':
      await deleteSavepoint(options, named(id))
      return 0
    default:
      throw new WardenError(
        'usage',
        'savepoint create, list, inspect, restore or delete; see warden savepoint --help',
      )
  }
}

/** `warden profile`. */
export async function profileJob(args: readonly string[], io: SavepointIo): Promise<0> {
  const text = { type: 'string' } as const
  const { values } = parse('profile', args, {
    config: { ...text, short: 'c' },
    seconds: { ...text, default: '30' },
    out: { ...text, default: '.' },
    url: text,
  })
  const config = io.load(required('profile', values.config, '-c FILE'))
  const seconds = Number(values.seconds)
  if (!(seconds > 0 && seconds <= maxProfileSeconds)) {
    throw new WardenError('usage', `--seconds is a number above 0 and at most ${maxProfileSeconds}`)
  }
  const out = textOf(values.out) ?? '.'
  await profile({ config, url: textOf(values.url), seconds, out, print: io.out })
  return 0
}

/** `warden reset --to …`. */
export async function resetPositions(args: readonly string[], io: SavepointIo): Promise<0> {
  const text = { type: 'string' } as const
  const { values } = parse('reset', args, {
    config: { ...text, short: 'c' },
    source: text,
    to: text,
    yes: { type: 'boolean' },
  })
  const to = parseTarget(required('reset', values.to, '--to earliest|latest|TIME|OFFSETS'))
  const config = io.load(required('reset', values.config, '-c FILE'))
  const source = textOf(values.source)
  await reset({ config, source, to, confirmed: values.yes === true, print: io.out })
  return 0
}

function named(id: string | undefined): string {
  if (id !== undefined) return id
  throw new WardenError('usage', 'name the savepoint, or latest; see warden savepoint list')
}

const textOf = (value: Values[string]): string | undefined =>
  typeof value === 'string' ? value : undefined
