/**
 * `npm run bench:curves`: where does Warden bend? One reading of a topic for each point; writes its tables into docs/benchmarks.md.
 *
 *   npm run bench:curves -- [--only users|series|partitions|size|duplicates|fields|lanes]
 *     --most-users N      leaves out the points of more users; by default 50000000, whose topic takes 10 GB of disk and some minutes
 *     --scale 0.1         fewer events, to try it
 *     --program FILE      `bin/warden.js` of another built checkout
 *     --dry               leave docs/benchmarks.md as it is
 */
import { parseArgs } from 'node:util'
import { startKafka } from '../support/kafka-service.ts'
import { measurePoints, type Point, type PointResult } from './points.ts'
import { circumstances, commandOf } from './report/circumstances.ts'
import { table } from './report/peers-table.ts'
import { replaceSection } from './report/sections.ts'

const { values: options } = parseArgs({
  options: {
    only: { type: 'string' },
    'most-users': { type: 'string', default: '50000000' },
    scale: { type: 'string', default: '1' },
    program: { type: 'string' },
    dry: { type: 'boolean', default: false },
  },
})

const events = 1_500_000
const millions = (count: number) => `${count / 1e6} M`

/** Everybody is remembered until the end: one hour, which closes behind the last event. */
const users = [100_000, 1_000_000, 3_000_000, 10_000_000, 50_000_000].map(
  (count): Point => ({
    label: millions(count),
    load: { users: count, events: Math.max(events, count), hours: 1, bytes: 200 },
  }),
)

const series = [100, 1_000, 10_000, 100_000].map(
  (count): Point => ({
    label: String(count),
    load: { events, users: events, series: count, hours: 1 },
    setup: { maxSeries: 200_000 },
  }),
)

const partitions = [1, 4, 16, 64].map(
  (count): Point => ({ label: String(count), load: { events, users: events, partitions: count } }),
)

const size = [200, 312, 1_024, 4_096].map(
  (bytes): Point => ({
    label: `${bytes} B`,
    load: { events: bytes > 2_000 ? 500_000 : events, users: events, bytes },
  }),
)

const duplicates = [0, 0.3, 0.6, 0.9].map(
  (share): Point => ({
    label: `${share * 100} %`,
    load: { events, users: events, duplicates: share },
  }),
)

/** The job reads eight; one series, since the least job has no dimensions. */
const fields = [3, 8, 12, 16, 20].map(
  (count): Point => ({
    label: String(count),
    load: { events, users: events, series: 1, extraFields: 12 },
    setup: count < 8 ? { leastFields: true } : { extraFields: count - 8 },
  }),
)

const lanes = [false, true].flatMap((keyed) =>
  [1, 2, 4].map(
    (count): Point => ({
      label: `${count}, topic ${keyed ? '' : 'not '}keyed by user`,
      load: { events: 2 * events, users: 2 * events, keyed },
      lanes: count,
    }),
  ),
)

const curves: Readonly<Record<string, { readonly head: string; readonly points: Point[] }>> = {
  users: {
    head: 'users, all live at once',
    points: users.filter(({ load }) => (load.users ?? 0) <= Number(options['most-users'])),
  },
  series: { head: 'series', points: series },
  partitions: { head: 'partitions', points: partitions },
  size: { head: 'size of an event', points: size },
  duplicates: { head: 'duplicates', points: duplicates },
  fields: { head: 'fields extracted', points: fields },
  lanes: { head: 'lanes', points: lanes },
}

const wanted = Object.entries(curves).filter(
  ([name]) => options.only === undefined || options.only.split(',').includes(name),
)
if (wanted.length === 0) throw new Error(`--only is one of ${Object.keys(curves).join(', ')}`)
const machine = circumstances(commandOf('bench:curves'))
const kafka = await startKafka()
try {
  for (const [name, { head, points }] of wanted) {
    console.error(`=== ${name}`)
    const measure = { program: options.program, scale: Number(options.scale) }
    const results = await measurePoints(kafka, points, measure)
    const text = `${machine}\n\n${curveTable(head, results)}\n\n${bend(results)}`
    console.log(text)
    if (!options.dry) replaceSection('benchmarks.md', `curve: ${name}`, text)
  }
} finally {
  await kafka.stop()
}

function curveTable(head: string, results: readonly PointResult[]): string {
  const heads = [head, 'events', '1000 events/s', 'CPU s per M', 'peak RSS, MiB', 'checkpoints']
  const rows = results.map(({ point, spec, measured }) => [
    point.label,
    millions(spec.events),
    (measured.eventsPerSecond / 1000).toFixed(0),
    measured.cpuSecondsPerMillion.toFixed(2),
    measured.peakRssMib.toFixed(0),
    String(measured.checkpoints),
  ])
  return table(heads, rows)
}

/** The largest step down from one point to the next, if it is worth a word. */
function bend(results: readonly PointResult[]): string {
  let steepest = {
    kept: 0.8,
    text: 'No step from one point to the next costs a fifth of the rate.',
  }
  for (const [index, { point, measured }] of results.entries()) {
    const before = results[index - 1]
    if (before === undefined) continue
    const kept = measured.eventsPerSecond / before.measured.eventsPerSecond
    if (kept >= steepest.kept) continue
    const lost = Math.round((1 - kept) * 100)
    const cpu = measured.cpuSecondsPerMillion / before.measured.cpuSecondsPerMillion
    const text = `It bends most between ${before.point.label} and ${point.label}: ${lost} % of the rate, at ${cpu.toFixed(2)} times the processor time per event.`
    steepest = { kept, text }
  }
  return steepest.text
}
