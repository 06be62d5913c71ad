/**
 * `npm run soak`: Warden for hours at a share of what it can do. Exits with 1 when something is lost or wrong, or memory is not flat. Writes its
 * report into docs/reliability.md.
 *
 *   npm run soak -- [--hours 2 | --minutes N]
 *     --share 60            per cent of the capacity
 *     --capacity N          events per second; by default what producer, broker and Warden sustain together for a quarter of a minute
 *     --windows 30          that close within the time, about
 *     --users 3000000       who all have an event before any has a second one
 *     --lanes 2             by default as many as there are cores, where Warden knows lanes
 *     --program FILE, --dry
 */
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { circumstances, commandOf } from '../bench/report/circumstances.ts'
import { replaceSection } from '../bench/report/sections.ts'
import { soakReport, verdicts } from './soak-report.ts'
import { soak } from './soak-run.ts'

const { values: options } = parseArgs({
  options: {
    hours: { type: 'string', default: '2' },
    minutes: { type: 'string' },
    share: { type: 'string', default: '60' },
    capacity: { type: 'string' },
    windows: { type: 'string', default: '30' },
    users: { type: 'string', default: '3000000' },
    lanes: { type: 'string', default: String(availableParallelism()) },
    program: { type: 'string' },
    dry: { type: 'boolean', default: false },
  },
})

const seconds = Number(options.minutes ?? Number(options.hours) * 60) * 60
const machine = circumstances(commandOf('soak'))
const result = await soak({
  seconds,
  share: Number(options.share) / 100,
  capacity: options.capacity === undefined ? undefined : Number(options.capacity),
  windowMs: Math.max(1, Math.floor(seconds / Number(options.windows))) * 1000,
  users: Number(options.users),
  lanes: Number(options.lanes),
  program: options.program,
})
const text = `${machine}\n\n${soakReport(result)}`
console.log(text)
if (!options.dry) replaceSection('reliability.md', 'soak', text)
if (verdicts(result).some(({ holds }) => !holds)) process.exitCode = 1
