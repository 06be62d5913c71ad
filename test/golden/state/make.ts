/**
 * Writes the state that this release leaves, for the next ones to read: test/golden/state/format-N.txt.
 *   node --import tsx test/golden/state/make.ts
 * Run it when the format is raised; what older releases wrote stays for as long as it is read.
 */
import { writeFileSync } from 'node:fs'
import { goldenState, load } from '../../support/golden-state.ts'

const text = await goldenState()
const job = load(text).find(
  ({ kind, ...one }) => kind === 'put' && 'key' in one && one.key === 'job',
)
const value = job?.kind === 'put' ? Buffer.from(job.value).toString('utf8') : '{}'
const { format } = JSON.parse(value) as { readonly format: number }
writeFileSync(new URL(`format-${format}.txt`, import.meta.url), text)
process.stdout.write(`format-${format}.txt: ${text.length} characters\n`)
