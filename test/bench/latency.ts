/**
 * `npm run bench:latency`: how long after its watermark is a pane in the store, and how fast is a backlog gone? Writes its tables into
 * docs/benchmarks.md.
 *
 *   npm run bench:latency -- [--seconds 60]    for each load
 *     --capacity N          events per second; by default what producer, broker and Warden sustain together for a quarter of a minute
 *     --max-age 1s          how long the sink gathers points, as in its config; Warden's default
 *     --levels 10,50,90     per cent of it
 *     --lanes 2             by default as many as there are cores, where Warden knows lanes
 *     --only latency|catch-up
 *     --backlog 120         seconds of backlog at --backlog-rate 50000; an hour takes 56 GB of disk
 *     --program FILE, --dry
 */
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { startKafka } from '../support/kafka-service.ts'
import { measureCatchUp } from './latency/catch-up.ts'
import { levelsTable, measureLevels, stallsTable } from './latency/levels.ts'
import { circumstances, commandOf } from './report/circumstances.ts'
import { table } from './report/peers-table.ts'
import { replaceSection } from './report/sections.ts'

const { values: options } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    capacity: { type: 'string' },
    'max-age': { type: 'string', default: '1s' },
    levels: { type: 'string', default: '10,50,90' },
    lanes: { type: 'string', default: String(availableParallelism()) },
    only: { type: 'string' },
    backlog: { type: 'string', default: '120' },
    'backlog-rate': { type: 'string', default: '50000' },
    program: { type: 'string' },
    dry: { type: 'boolean', default: false },
  },
})

const isWanted = (what: string) => options.only === undefined || options.only === what
const lanes = Number(options.lanes)
const machine = circumstances(commandOf('bench:latency'))
const kafka = await startKafka()
try {
  if (isWanted('latency')) {
    const { capacity, levels } = await measureLevels(kafka, {
      capacity: options.capacity === undefined ? undefined : Number(options.capacity),
      shares: options.levels.split(',').map((text) => Number(text) / 100),
      seconds: Number(options.seconds),
      maxAge: options['max-age'],
      lanes,
      program: options.program,
    })
    const known = `Capacity with the producer on the same cores: ${Math.round(capacity / 1000)} k events/s. The sink gathers points for ${options['max-age']} (\`batch.maxAge\`), which is in the figures; the 1 s out of order is not.`
    const stalls = `How late the event loop of each thread was (a timer of 5 ms; how often by at most so much):`
    const text = [machine, known, levelsTable(levels), stalls, stallsTable(levels)].join('\n\n')
    console.log(text)
    if (!options.dry) replaceSection('benchmarks.md', 'latency', text)
  }
  if (isWanted('catch-up')) {
    const rate = Number(options['backlog-rate'])
    const seconds = Number(options.backlog)
    const { program } = options
    const result = await measureCatchUp(kafka, { backlogSeconds: seconds, rate, lanes, program })
    const anHour = (3600 * rate) / Math.max(1, result.eventsPerSecond - rate)
    const heads = ['backlog', 'events', 'caught up after', '1000 events/s', 'an hour would take']
    const row = [
      `${seconds} s at ${rate / 1000} k/s`,
      `${((seconds * rate) / 1e6).toFixed(1)} M`,
      `${result.seconds.toFixed(1)} s`,
      (result.eventsPerSecond / 1000).toFixed(0),
      `${anHour.toFixed(0)} s`,
    ]
    const text = `${machine}\n\n${table(heads, [row])}`
    console.log(text)
    if (!options.dry) replaceSection('benchmarks.md', 'catch-up', text)
  }
} finally {
  await kafka.stop()
}
