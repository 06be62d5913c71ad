/** Puts test files together into few processes: loading the program takes each process longer than most files take to run. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

/** Hooks at the top of a file would run around the tests of every other file in the process. */
const rootHook = /^(before|after)Each\(/m

/**
 * Entry files, written into `directory`, that import the test files; a file with hooks at its top stays alone.
 * @param files paths from `root`
 * @returns paths for `node --test`
 */
export function groupedTests(
  root: string,
  files: readonly string[],
  groups: number,
  directory: string,
): string[] {
  const alone = files.filter((file) => rootHook.test(readFileSync(join(root, file), 'utf8')))
  const together = files.filter((file) => !alone.includes(file))
  const count = Math.min(groups, together.length)
  const entries = Array.from({ length: count }, (_, group) => {
    const imports = together
      .filter((_file, index) => index % count === group)
      .map((file) => `import ${JSON.stringify(pathToFileURL(join(root, file)).href)}\n`)
    const entry = join(directory, `group-${group}.test.mjs`)
    writeFileSync(entry, imports.join(''))
    return entry
  })
  return [...entries, ...alone]
}
