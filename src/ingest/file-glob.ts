import { readdir, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'

const isPattern = (segment: string): boolean => /[*?]/.test(segment)

/** One path segment: `*` any characters, `?` one; neither matches the dot that hides a file. */
export function segmentMatcher(segment: string): RegExp {
  const body = segment
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replace(/\*/g, '.*')
    .replace(/\?/g, '.')
  return new RegExp(`^${/^[*?]/.test(segment) ? '(?!\\.)' : ''}${body}$`, 'su')
}

/**
 * Files that match any of the patterns, each once, in the order of their names (by code unit).
 * `*` and `?` match within a segment, `**` any number of directories (symbolic links to directories are not followed there).
 * What can't be listed is left out: a file may go away while we look.
 */
export async function matchingFiles(patterns: readonly string[]): Promise<string[]> {
  const found = new Set<string>()
  for (const pattern of patterns) {
    const segments = resolve(pattern).split('/').slice(1)
    await walk('/', segments, found)
  }
  return [...found].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0))
}

async function walk(directory: string, segments: readonly string[], found: Set<string>) {
  const [head, ...rest] = segments
  if (head === undefined) return
  if (!isPattern(head)) {
    const path = join(directory, head)
    if (rest.length > 0) await walk(path, rest, found)
    else if (await isFile(path)) found.add(path)
    return
  }
  if (head === '**') await walk(directory, rest.length > 0 ? rest : ['*'], found)
  const matches = head === '**' ? /^[^.]/ : segmentMatcher(head)
  const entries = await readdir(directory, { withFileTypes: true }).catch(() => [])
  for (const entry of entries) {
    if (!matches.test(entry.name)) continue
    const path = join(directory, entry.name)
    if (head === '**') {
      if (entry.isDirectory()) await walk(path, segments, found)
    } else if (rest.length > 0) {
      if (entry.isDirectory() || entry.isSymbolicLink()) await walk(path, rest, found)
    } else if (entry.isFile() || (entry.isSymbolicLink() && (await isFile(path)))) {
      found.add(path)
    }
  }
}

async function isFile(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isFile(),
    () => false,
  )
}
