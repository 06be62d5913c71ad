/**
 * `npm run bench:smoke`: is Warden still as fast as it was, against kafkajs in the same run? Exits with 1 when the ratio is less than
 * half of the recorded one: machines differ, and so does what else they do. `npm test` asks the same.
 *
 *   npm run bench:smoke -- [--record]    writes the ratio into test/bench/smoke.json
 */
import { parseArgs } from 'node:util'
import { measureSmoke, recordedRatio, recordRatio, smokeText } from './smoke-ratio.ts'

const { record } = parseArgs({ options: { record: { type: 'boolean', default: false } } }).values
const rates = await measureSmoke()
console.log(smokeText(rates))
if (record) recordRatio(rates.ratio)
else if (!(rates.ratio >= recordedRatio().ratio / 2)) {
  console.error('less than half of the recorded ratio: something made Warden slow')
  process.exitCode = 1
}
