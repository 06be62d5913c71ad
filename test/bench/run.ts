/**
 * `npm run bench`: the whole job by Warden, Flink, bytewax and kafkajs on the same topic, in turn. Needs Linux (/proc) and what a real
 * broker needs (test/services/README.md). Writes its table into docs/benchmarks.md, without compression also docs/benchmarks.svg.
 *
 *   npm run bench -- [--rounds 5] [--events 3000000] [--users 3000000] [--hours 6] [--compression none|gzip|lz4|snappy|zstd]
 *     --peers LIST            names from the list below, by default all; `name:2` measures only in the first two rounds
 *     --keyed                 the events of a user lie in one partition
 *     --program NAME=FILE     one more Warden, `bin/warden.js` of another built checkout; may be given several times
 *     --bootstrap HOST:PORT   a broker that runs; the topic of these events stays there and is found again
 *     --node-argument ARG     for Warden's Node, such as --cpu-prof
 *     --dry                   leave docs as it is
 */
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { KafkaCluster } from '../support/kafka-cluster.ts'
import { startKafka } from '../support/kafka-service.ts'
import { type Compression, compressions, provideTopic } from './load/fill-topic.ts'
import { type LoadSpec, usualLoad } from './load/load-spec.ts'
import { hourMs, startMs } from './load/loan-events.ts'
import { bytewaxPeer } from './peers/bytewax-peer.ts'
import { flinkPeer } from './peers/flink-peer.ts'
import { kafkajsPeers } from './peers/kafkajs-peers.ts'
import type { Peer, Task } from './peers/peer.ts'
import type { Measured } from './peers/stopwatch.ts'
import { wardenPeer } from './peers/warden-peer.ts'
import { barsSvg } from './report/bars-svg.ts'
import { circumstances, commandOf } from './report/circumstances.ts'
import { peersTable } from './report/peers-table.ts'
import { replaceSection, writeDoc } from './report/sections.ts'

const { values: options } = parseArgs({
  options: {
    events: { type: 'string', default: '3000000' },
    users: { type: 'string', default: '3000000' },
    hours: { type: 'string', default: '6' },
    rounds: { type: 'string', default: '5' },
    compression: { type: 'string', default: 'none' },
    peers: { type: 'string' },
    keyed: { type: 'boolean', default: false },
    program: { type: 'string', multiple: true, default: [] },
    bootstrap: { type: 'string' },
    dry: { type: 'boolean', default: false },
    'node-argument': { type: 'string', multiple: true, default: [] },
  },
})

/** Before the name of a `--program`. */
const programKey = 'warden '

interface Entry {
  readonly peer: Peer
  /** Rounds in which it is measured. */
  readonly limit: number
  readonly rounds: Measured[]
  /** Why it was given up: wrong counts, or it ended. */
  failure: string | undefined
}

const spec: LoadSpec = {
  ...usualLoad,
  events: Number(options.events),
  users: Number(options.users),
  hours: Number(options.hours),
  keyed: options.keyed,
}
const compression = compressionOf(options.compression)
const rounds = Number(options.rounds)
const machine = circumstances(commandOf('bench'), ['kafkajs', 'flink', 'bytewax'])

const service = options.bootstrap === undefined ? await startKafka() : undefined
try {
  const cluster =
    service ?? new KafkaCluster({ bootstrap: options.bootstrap ?? '', sasl: undefined })
  const entries = chosen(allPeers(cluster))
  const topic = await provideTopic(cluster, spec, compression)
  const endMs = startMs + spec.hours * hourMs
  const task = { bootstrap: cluster.bootstrap, topic, endMs }
  for (let round = 1; round <= rounds; round++) {
    for (const entry of entries) {
      if (round > entry.limit || entry.failure !== undefined) continue
      const said = await measureRound(entry, task)
      console.error(`round ${round}: ${entry.peer.name}: ${said}`)
    }
  }
  const results = entries.map(({ peer: { key, name }, rounds, failure }) => {
    return { key, name, rounds, failure }
  })
  const picture =
    compression === 'none' ? '![Events per second of each peer](benchmarks.svg)\n\n' : ''
  const text = `${machine}\n\n${peersTable(results)}`
  console.log(text)
  if (!options.dry) {
    replaceSection('benchmarks.md', `whole job: ${compression}`, picture + text)
    const note = `${spec.events / 1e6} M events of 312 bytes, two metrics, checkpoints every 10 s; broker and peer share ${availableParallelism()} cores`
    if (picture !== '') {
      writeDoc('benchmarks.svg', barsSvg('The whole job, from one Kafka topic', note, results))
    }
  }
} finally {
  await service?.stop()
}

/** A peer that fails is given up; the others go on, and the run ends with 1. */
async function measureRound(entry: Entry, task: Task): Promise<string> {
  try {
    const measured = await entry.peer.measure(task)
    entry.rounds.push(measured)
    return inShort(measured)
  } catch (error) {
    entry.failure = error instanceof Error ? error.message : String(error)
    process.exitCode = 1
    return `FAILED: ${entry.failure}`
  }
}

function allPeers(cluster: KafkaCluster): Peer[] {
  const flink = (
    key: string,
    name: string,
    backend: 'hashmap' | 'rocksdb',
    metrics: 'both' | 'loan',
  ) => flinkPeer({ key, name, backend, metrics }, () => cluster)
  const nodeArguments = options['node-argument']
  const warden = (key: string, name: string, lanes: number, more = {}) =>
    wardenPeer({ key, name, lanes, nodeArguments, ...more })
  return [
    flink('flink-heap', 'Flink, heap, p2', 'hashmap', 'both'),
    flink('flink-rocksdb', 'Flink, RocksDB, p2', 'rocksdb', 'both'),
    flink('flink-heap-loan', 'Flink, heap, p2, first metric only', 'hashmap', 'loan'),
    ...kafkajsPeers(compression),
    bytewaxPeer,
    warden('warden-1', 'Warden, 1 lane', 1),
    warden('warden-2', 'Warden, 2 lanes', 2),
    warden('warden-1-kept', 'Warden, 1 lane, all hours kept', 1, {
      setup: { allowedLateness: `${spec.hours + 1}h` },
    }),
    ...options.program.map((text) => {
      const [name = '', program = ''] = text.split('=')
      return warden(`${programKey}${name}`, name, 1, { program })
    }),
  ]
}

/** Those that were asked for and can run; says why the others do not. */
function chosen(all: readonly Peer[]): Entry[] {
  const wanted = options.peers?.split(',').map((text) => text.split(':'))
  const unknown = wanted?.filter(([key]) => !all.some((peer) => peer.key === key)) ?? []
  if (unknown.length > 0) {
    const known = all.map(({ key }) => key).join(', ')
    throw new Error(`no peer is called ${unknown.join(', ')}; there are ${known}`)
  }
  return all.flatMap((peer) => {
    const asked = wanted?.find(([key]) => key === peer.key)
    const isProgram = peer.key.startsWith(programKey)
    if (wanted !== undefined && asked === undefined && !isProgram) return []
    const missing = peer.missing()
    if (missing !== undefined) {
      console.error(`LEFT OUT ${peer.name}: ${missing}`)
      return []
    }
    return [{ peer, limit: Number(asked?.[1] ?? rounds), rounds: [], failure: undefined }]
  })
}

function inShort({ eventsPerSecond, cpuSecondsPerMillion, peakRssMib }: Measured): string {
  return `${Math.round(eventsPerSecond / 1000)}k/s, ${cpuSecondsPerMillion.toFixed(2)} CPU s per M, ${peakRssMib.toFixed(0)} MiB`
}

function compressionOf(text: string): Compression {
  const found = compressions.find((one) => one === text)
  if (found === undefined) throw new Error(`--compression is one of ${compressions.join(', ')}`)
  return found
}
