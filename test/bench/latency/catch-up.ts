import { setTimeout as sleep } from 'node:timers/promises'
import type { KafkaCluster } from '../../support/kafka-cluster.ts'
import { LiveLoadChild } from '../load/live-load-child.ts'
import { sumOf, WardenRun } from '../peers/warden-run.ts'

export interface CatchUpOptions {
  readonly backlogSeconds: number
  /** Events per second, of the backlog and of what comes on. */
  readonly rate: number
  readonly lanes: number
  readonly program: string | undefined
}

const topic = 'bench-catch-up'
const partitions = 4
const windowMs = 60_000
const lookMs = 50
const timeoutMs = 30 * 60_000
/** Caught up: less than this is between what was sent and what is counted. */
const freshSeconds = 1

/** From Warden's first record to the moment at which it is less than a second behind. */
export async function measureCatchUp(
  cluster: KafkaCluster,
  { backlogSeconds, rate, lanes, program }: CatchUpOptions,
): Promise<{ readonly seconds: number; readonly eventsPerSecond: number }> {
  await cluster.createTopic(topic, partitions)
  const { bootstrap } = cluster
  const load = new LiveLoadChild({
    ...{ bootstrap, topic, partitions, windowMs, outOfOrdernessMs: 20_000 },
    users: 1_000_000,
  })
  let run: WardenRun | undefined
  try {
    await load.writeBacklog(backlogSeconds, rate)
    load.setRate(rate)
    run = await WardenRun.start({ bootstrap, topic, lanes, windowSize: '1m' }, program)
    const deadline = performance.now() + timeoutMs
    let first: { ms: number; records: number } | undefined
    for (;;) {
      const records = sumOf(await run.metrics(), 'warden_records_total')
      const ms = performance.now()
      if (first === undefined && records > 0) first = { ms, records }
      if (first !== undefined && load.events - records < freshSeconds * rate) {
        const seconds = (ms - first.ms) / 1000
        await run.stop()
        return { seconds, eventsPerSecond: (records - first.records) / seconds }
      }
      if (ms > deadline)
        throw new Error(`${load.events - records} events behind after half an hour`)
      await sleep(lookMs)
    }
  } finally {
    load.terminate()
    await run?.remove()
    await cluster.deleteTopic(topic)
  }
}
