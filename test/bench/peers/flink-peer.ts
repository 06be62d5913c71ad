import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  type FlinkService,
  flinkJobJar,
  flinkMissing,
  startFlink,
} from '../../support/flink-service.ts'
import { type KafkaCluster, kafkaJs } from '../../support/kafka-cluster.ts'
import { type Counts, differences, loanFigures, onlyLoans } from '../load/expected-counts.ts'
import type { Peer, Task } from './peer.ts'
import { processTree } from './process-tree.ts'
import { type Measured, Stopwatch } from './stopwatch.ts'

export interface FlinkPeerOptions {
  readonly key: string
  readonly name: string
  readonly backend: 'hashmap' | 'rocksdb'
  /** `loan` leaves the metric without dedup out. */
  readonly metrics: 'both' | 'loan'
}

const parallelism = 2
/** Process size of the TaskManager: of it Flink gives 2.5 GiB to the heap and 2 GiB to RocksDB. */
const taskManagerMb = 6144
const lookMs = 250
const timeoutMs = 30 * 60_000

/** The DataStream job of `test/services/flink/job` on a session cluster of its own. */
export function flinkPeer(options: FlinkPeerOptions, cluster: () => KafkaCluster): Peer {
  return {
    key: options.key,
    name: options.name,
    missing: flinkMissing,
    measure: (task) => measureFlink(task, options, cluster()),
  }
}

async function measureFlink(
  task: Task,
  { backend, metrics }: FlinkPeerOptions,
  cluster: KafkaCluster,
): Promise<Measured> {
  const { bootstrap, topic } = task
  const out = `bench-panes-${backend}-${Date.now()}`
  await cluster.createTopic(out, 1)
  const jar = await flinkJobJar()
  const flink = await startFlink({ taskManagerMb, slots: parallelism })
  try {
    const watch = new Stopwatch(topic.records, () => processTree(flink.pids))
    const job = await flink.submit(jar, 'warden.bench.LoanJob', [
      ...['--brokers', bootstrap, '--topic', topic.name, '--out', out],
      ...['--backend', backend, '--parallelism', String(parallelism), '--metrics', metrics],
    ])
    await untilFinished(flink, job, watch)
    const { counts } = (await flink.get(`/jobs/${job}/checkpoints`)) as CheckpointAnswer
    const measured = watch.measured(counts.completed)
    const expected = metrics === 'both' ? topic.expected : onlyLoans(topic.expected)
    const wrong = differences(expected, await readPanes(cluster, out), task.endMs)
    if (wrong.length > 0) {
      throw new Error(`${wrong.length} counts are wrong: ${wrong.slice(0, 3).join('; ')}`)
    }
    return measured
  } finally {
    await flink.stop()
    await cluster.deleteTopic(out)
  }
}

interface CheckpointAnswer {
  readonly counts: { readonly completed: number }
}

/** Follows what the job says about its progress. */
async function untilFinished(flink: FlinkService, job: string, watch: Stopwatch): Promise<void> {
  const deadline = performance.now() + timeoutMs
  let read = 0
  for (;;) {
    const log = await readFile(flink.taskManagerLog, 'latin1')
    const fresh = log.slice(read, log.lastIndexOf('\n') + 1)
    read += fresh.length
    const counted = [...fresh.matchAll(/^counted (\d+)$/gm)].map(([, text]) => Number(text))
    if (counted.length > 0) watch.reached(Math.max(...counted))
    const { state } = (await flink.get(`/jobs/${job}`)) as { readonly state: string }
    if (state === 'FINISHED') return
    if (state === 'FAILED' || state === 'CANCELED' || performance.now() > deadline) {
      const reason = await flink.get(`/jobs/${job}/exceptions`)
      throw new Error(`the Flink job is ${state}: ${JSON.stringify(reason).slice(0, 4000)}`)
    }
    await sleep(lookMs)
  }
}

/** The last pane of each series and hour, as counts. */
async function readPanes(cluster: KafkaCluster, topic: string): Promise<Counts> {
  const counts = new Map<string, number>()
  const end = (await cluster.endOffsets(topic)).get(0) ?? 0
  if (end === 0) return counts
  const consumer = kafkaJs(cluster.address).consumer({ groupId: topic, maxWaitTimeInMs: 100 })
  await consumer.connect()
  try {
    await consumer.subscribe({ topics: [topic], fromBeginning: true })
    await new Promise<void>((resolve, reject) => {
      consumer
        .run({
          eachMessage: async ({ message }) => {
            addPane(counts, JSON.parse(String(message.value)) as Pane)
            if (Number(message.offset) >= end - 1) resolve()
          },
        })
        .catch(reject)
    })
  } finally {
    await consumer.disconnect()
  }
  return counts
}

interface Pane {
  readonly metric: 'loan' | 'channel'
  readonly hour: number
  readonly series: readonly [string, string]
  readonly counts: readonly number[]
}

function addPane(counts: Map<string, number>, pane: Pane): void {
  const name = `${pane.metric} ${pane.hour} ${pane.series.join(' ')}`
  const [first = 0, success = 0, events = 0, rawSuccess = 0] = pane.counts
  if (pane.metric === 'channel') counts.set(name, first)
  else {
    const figures = { users: first + success, success, events, rawSuccess }
    for (const figure of loanFigures) counts.set(`${name} ${figure}`, figures[figure])
  }
}
