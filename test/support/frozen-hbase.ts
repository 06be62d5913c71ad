import { setTimeout as sleep } from 'node:timers/promises'
import type { OpentsdbService } from './opentsdb-service.ts'
import { until } from './until.ts'

/** How long after its thaw an HBase whose ZooKeeper session is over takes to notice, at most, ms. */
const noticeMs = 30_000

/** Stops HBase's process for a time. One that was stopped for longer than its session ends itself when it goes on: then it is started again. */
export async function freezeHbase(service: OpentsdbService, ms: number): Promise<void> {
  service.freezeHbase()
  await sleep(ms)
  service.thawHbase()
  const hasEnded = () => !service.processes.isRunning('hbase')
  const ended = await until('HBase ends', hasEnded, noticeMs).catch(() => false)
  if (ended) await service.startHbase()
}
