/**
 * Writes what is made from the config schema: `config/warden.schema.json` for editors and the manual `docs/configuration.md`.
 * `npm run schema` writes, `npm run schema -- --check` fails when a file is stale.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { jsonSchemaText } from '../src/config/json-schema.ts'
import { manual } from '../src/config/manual.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const generated = [
  { file: 'config/warden.schema.json', text: jsonSchemaText() },
  { file: 'docs/configuration.md', text: manual() },
]

for (const { file, text } of generated) {
  const path = join(root, file)
  if (!process.argv.includes('--check')) writeFileSync(path, text)
  else if (readFileSync(path, 'utf8') !== text) {
    process.stderr.write(`${file} is not as the schema is: npm run schema\n`)
    process.exitCode = 1
  }
}
