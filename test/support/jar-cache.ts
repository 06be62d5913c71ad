import { existsSync, readFileSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { isAlive } from './free-ports.ts'

export interface JarList {
  /** The pom whose project version names the cache entry. */
  readonly pom: string
  readonly name: string
  /** Fills the empty directory with everything the service needs. */
  fill(directory: string): Promise<void>
}

/** Where the jars of the services lie, outside the checkout: several checkouts share them, and no tool scans them. */
function cacheRoot(): string {
  const cache = process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache')
  return process.env.WARDEN_SERVICES_DIR ?? join(cache, 'warden-services')
}

function cacheDirectory(list: JarList): string {
  const version = /<artifactId>[^<]*<\/artifactId>[\s\S]*?<version>([^<]+)</.exec(
    readFileSync(list.pom, 'utf8'),
  )?.[1]
  if (version === undefined) throw new Error(`${list.pom} has no version`)
  return join(cacheRoot(), `${list.name}-${version}`)
}

/** Are the jars here already, so that nothing need be fetched? */
export function isCached(list: JarList): boolean {
  return existsSync(cacheDirectory(list))
}

/**
 * Directory with the jars, filled on first use. It appears by a rename when it is whole; of several processes that want it
 * at once, one fills it and the others wait.
 */
export async function cachedJars(list: JarList): Promise<string> {
  return await fillOnce(cacheDirectory(list), (directory) => list.fill(directory))
}

/** The same for anything else that is fetched once, such as packages of another language. */
export async function cachedDirectory(
  name: string,
  fill: (directory: string) => Promise<void>,
): Promise<string> {
  return await fillOnce(join(cacheRoot(), name), fill)
}

async function fillOnce(
  directory: string,
  fill: (directory: string) => Promise<void>,
): Promise<string> {
  const lock = `${directory}.lock`
  await mkdir(dirname(directory), { recursive: true })
  for (;;) {
    if (existsSync(directory)) return directory
    if (await acquire(lock)) break
    await sleep(200)
  }
  try {
    if (existsSync(directory)) return directory
    await removeLeftovers(directory)
    const temporary = await mkdtemp(`${directory}.tmp-`)
    await fill(temporary)
    await rename(temporary, directory)
    return directory
  } finally {
    await rm(lock, { force: true })
  }
}

/** Takes the lock file, also from a process that died with it. */
async function acquire(lock: string): Promise<boolean> {
  try {
    await writeFile(lock, String(process.pid), { flag: 'wx' })
    return true
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
  }
  const holder = existsSync(lock) ? readFileSync(lock, 'utf8') : ''
  // An empty file is one whose writer is between the two steps of writing it.
  if (holder !== '' && !isAlive(Number(holder))) await rm(lock, { force: true })
  return false
}

async function removeLeftovers(directory: string): Promise<void> {
  const prefix = `${basename(directory)}.tmp-`
  for (const name of await readdir(dirname(directory))) {
    if (name.startsWith(prefix)) {
      await rm(join(dirname(directory), name), { recursive: true, force: true })
    }
  }
}
