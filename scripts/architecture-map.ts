/**
 * Draws the module map in ARCHITECTURE.md from the imports: `npm run map` writes it, `npm run check` fails when it is stale.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type Cruise, cruise } from './import-rules.ts'
import { root } from './test-run.ts'

const document = join(root, 'ARCHITECTURE.md')
const markers = /(<!-- map -->\n)[\s\S]*?(<!-- \/map -->)/

/** `src/sink/outbox.ts` → `sink`, `src/app.ts` → `app`; undefined outside src/. */
function folderOf(file: string): string | undefined {
  return /^src\/([^/]+?)(?:\.ts)?(?:\/|$)/.exec(file)?.[1]
}

/** A mermaid chart of folder → folder. Everything imports core, so that those arrows are left out. */
export function drawMap(imports: Cruise['imports']): string {
  const arrows = new Set<string>()
  for (const { from, to } of imports) {
    const [a, b] = [folderOf(from), folderOf(to)]
    if (a === undefined || b === undefined || a === b || b === 'core') continue
    arrows.add(`  ${a} --> ${b}`)
  }
  return ['```mermaid', 'flowchart LR', ...[...arrows].sort(), '```', ''].join('\n')
}

/** What is wrong with the map in ARCHITECTURE.md; undefined when it is as the imports are. */
export function staleMap(imports: Cruise['imports']): string | undefined {
  const text = readFileSync(document, 'utf8')
  if (!markers.test(text)) return 'ARCHITECTURE.md has no <!-- map --> … <!-- /map -->'
  return text === withMap(text, imports)
    ? undefined
    : 'the map in ARCHITECTURE.md is not as the imports are: npm run map'
}

function withMap(text: string, imports: Cruise['imports']): string {
  return text.replace(markers, (_, open: string, close: string) => open + drawMap(imports) + close)
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const { imports } = await cruise()
  if (process.argv.includes('--check')) {
    const stale = staleMap(imports)
    if (stale !== undefined) {
      process.stderr.write(`${stale}\n`)
      process.exitCode = 1
    }
  } else writeFileSync(document, withMap(readFileSync(document, 'utf8'), imports))
}
