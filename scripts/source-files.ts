import { readdirSync } from 'node:fs'
import { join, relative, sep } from 'node:path'

/** Files under `folder` whose name ends with `suffix`, as paths from `directory` with `/`, in order. Empty when there is no such folder. */
export function filesUnder(directory: string, folder: string, suffix: string): string[] {
  try {
    return readdirSync(join(directory, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && entry.name.endsWith(suffix))
      .map((entry) => relative(directory, join(entry.parentPath, entry.name)).split(sep).join('/'))
      .sort()
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return []
    throw error
  }
}
