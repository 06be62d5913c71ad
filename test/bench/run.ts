/**
 * `npm run bench`: the whole job against the least that a Kafka consumer in Node does. Needs Linux (/proc), and what a real
 * broker needs (test/services/README.md). Writes its table into docs/benchmarks.md.
 *
 *   npm run bench -- [--events 3000000] [--users 3000000] [--hours 6] [--rounds 5] [--compression none|gzip|lz4|snappy]
 *     --dry                   leave docs/benchmarks.md as it is
 *     --peers LIST            some of kafkajs,warden,kept; by default all
 *     --program NAME=FILE     one more Warden, `bin/warden.js` of another built checkout; may be given several times
 *     --bootstrap HOST:PORT   a broker that runs; the topic of these events stays there and is found again
 *     --node-argument ARG     for Warden's Node, such as --cpu-prof
 */
import { parseArgs } from 'node:util'
import { KafkaCluster } from '../support/kafka-cluster.ts'
import { startKafka } from '../support/kafka-service.ts'
import { type BenchSpec, benchEvents, type ExpectedCell, recordsOf } from './whole-job/events.ts'
import { type Compression, compressions, fillTopic } from './whole-job/fill-topic.ts'
import { type Measured, measureConsumer } from './whole-job/measure.ts'
import { circumstances, replaceSection, resultTable } from './whole-job/report.ts'
import { measureWarden } from './whole-job/warden-run.ts'

const { values: options } = parseArgs({
  options: {
    events: { type: 'string', default: '3000000' },
    users: { type: 'string', default: '3000000' },
    hours: { type: 'string', default: '6' },
    rounds: { type: 'string', default: '5' },
    compression: { type: 'string', default: 'none' },
    peers: { type: 'string', default: 'kafkajs,warden,kept' },
    program: { type: 'string', multiple: true, default: [] },
    bootstrap: { type: 'string' },
    dry: { type: 'boolean', default: false },
    'node-argument': { type: 'string', multiple: true, default: [] },
  },
})

interface Peer {
  readonly key: string
  readonly name: string
  readonly measure: () => Promise<Measured>
  readonly rounds: Measured[]
}

const spec: BenchSpec = {
  events: Number(options.events),
  users: Number(options.users),
  hours: Number(options.hours),
  partitions: 4,
}
const compression = compressionOf(options.compression)
const records = recordsOf(spec)
const command = `npm run bench${process.argv.length > 2 ? ` -- ${process.argv.slice(2).join(' ')}` : ''}`
const machine = circumstances(command)
const cells = new Map<string, ExpectedCell>()

const service = options.bootstrap === undefined ? await startKafka() : undefined
try {
  const cluster =
    service ?? new KafkaCluster({ bootstrap: options.bootstrap ?? '', sasl: undefined })
  const topic = `bench-${Object.values(spec).join('-')}-${compression}`
  await provide(cluster, topic)
  const peers = peersOf(cluster.bootstrap, topic)
  for (let round = 1; round <= Number(options.rounds); round++) {
    for (const { name, measure, rounds } of peers) {
      const measured = await measure()
      rounds.push(measured)
      const { eventsPerSecond, cpuSecondsPerMillion, peakRssMib } = measured
      console.error(
        `round ${round}: ${name}: ${Math.round(eventsPerSecond / 1000)}k/s, ${cpuSecondsPerMillion.toFixed(2)} CPU s per M, ${peakRssMib.toFixed(0)} MiB`,
      )
    }
  }
  const text = `${machine}\n\n${resultTable(peers)}`
  console.log(text)
  if (!options.dry) {
    const file = new URL('../../docs/benchmarks.md', import.meta.url)
    replaceSection(file, `whole job: ${compression}`, text)
  }
} finally {
  await service?.stop()
}

/** Makes the topic unless it is there with all its records; counts what Warden must find in any case. */
async function provide(cluster: KafkaCluster, topic: string): Promise<void> {
  const startedAt = performance.now()
  const events = benchEvents(spec, cells)
  const ends = await cluster.endOffsets(topic).catch(() => new Map<number, number>())
  const there = [...ends.values()].reduce((sum, end) => sum + end, 0)
  if (there === records) {
    for (const _ of events);
    return
  }
  if (ends.size > 0) await cluster.deleteTopic(topic)
  await cluster.createTopic(topic, spec.partitions)
  await fillTopic(cluster.bootstrap, topic, spec.partitions, compression, events)
  const seconds = (performance.now() - startedAt) / 1000
  console.error(`${records} records written in ${seconds.toFixed(0)} s`)
}

function peersOf(bootstrap: string, topic: string): Peer[] {
  const warden = (program: string, allowedLateness: string) => () =>
    measureWarden({
      program,
      bootstrap,
      topic,
      records,
      expected: cells,
      allowedLateness,
      nodeArguments: options['node-argument'],
    })
  const program = new URL('../../bin/warden.js', import.meta.url).pathname
  const all = [
    {
      key: 'kafkajs',
      name: 'kafkajs, JSON.parse',
      measure: () => measureConsumer(bootstrap, topic, records),
    },
    { key: 'warden', name: 'Warden', measure: warden(program, '10m') },
    {
      key: 'kept',
      name: 'Warden, all hours kept',
      measure: warden(program, `${spec.hours + 1}h`),
    },
  ]
  const chosen = all.filter(({ key }) => options.peers.split(',').includes(key))
  const others = options.program.map((text) => {
    const [name = '', file = ''] = text.split('=')
    return { key: name, name, measure: warden(file, '10m') }
  })
  return [...chosen, ...others].map((peer) => ({ ...peer, rounds: [] }))
}

function compressionOf(text: string): Compression {
  const found = compressions.find((one) => one === text)
  if (found === undefined) throw new Error(`--compression is one of ${compressions.join(', ')}`)
  return found
}
