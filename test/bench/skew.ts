/**
 * `npm run bench:skew`: one user, one series, one partition that has most of it. Writes its table into docs/benchmarks.md.
 *
 *   npm run bench:skew -- [--events 3000000] [--lanes 1,2,4] [--program FILE] [--dry]
 */
import { parseArgs } from 'node:util'
import { startKafka } from '../support/kafka-service.ts'
import { busiestLane, measurePoints, type Point, type PointResult } from './points.ts'
import { circumstances, commandOf } from './report/circumstances.ts'
import { table } from './report/peers-table.ts'
import { replaceSection } from './report/sections.ts'

const { values: options } = parseArgs({
  options: {
    events: { type: 'string', default: '3000000' },
    lanes: { type: 'string', default: '1,2' },
    program: { type: 'string' },
    dry: { type: 'boolean', default: false },
  },
})

const cases = [
  { name: 'even', load: {} },
  { name: 'one user 30 % of events', load: { hotUser: 0.3 } },
  { name: 'one series 90 % of users', load: { hotSeries: 0.9 } },
  { name: 'one partition 80 % of events', load: { hotPartition: 0.8 } },
]
const events = Number(options.events)
const lanes = options.lanes.split(',').map(Number)
const points = cases.flatMap(({ name, load }) =>
  lanes.map(
    (count): Point => ({
      label: `${name}, ${count} lane${count > 1 ? 's' : ''}`,
      load: { events, users: events, ...load },
      lanes: count,
    }),
  ),
)

const machine = circumstances(commandOf('bench:skew'))
const kafka = await startKafka()
try {
  const results = await measurePoints(kafka, points, { program: options.program, scale: 1 })
  const text = `${machine}\n\n${skewTable(results)}`
  console.log(text)
  if (!options.dry) replaceSection('benchmarks.md', 'skew', text)
} finally {
  await kafka.stop()
}

function skewTable(results: readonly PointResult[]): string {
  const rows = results.map(({ point, measured, figures }) => {
    const even = results.find((one) => one.point.lanes === point.lanes)
    const share = measured.eventsPerSecond / (even?.measured.eventsPerSecond ?? Number.NaN)
    const busiest = busiestLane(figures)
    return [
      point.label,
      (measured.eventsPerSecond / 1000).toFixed(0),
      share.toFixed(2),
      measured.cpuSecondsPerMillion.toFixed(2),
      measured.peakRssMib.toFixed(0),
      busiest === undefined
        ? 'not known'
        : `${busiest.lane}: ${Math.round(busiest.share * 100)} % of all busy time`,
    ]
  })
  const heads = ['load', '1000 events/s', 'of the even load', 'CPU s per M', 'peak RSS, MiB']
  return table([...heads, 'slowest lane'], rows)
}
