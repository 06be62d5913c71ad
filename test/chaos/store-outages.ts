/**
 * What a real OpenTSDB on a real HBase loses when they are killed, frozen and away under load, in full length: about 16 minutes.
 * `node --import tsx test/chaos/store-outages.ts [--outage MINUTES]`; prints the rows of the table in docs/reliability.md.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { type OpentsdbService, startOpentsdb } from '../support/opentsdb-service.ts'
import { StoreLoad } from '../support/store-load.ts'
import { until } from '../support/until.ts'

const { values } = parseArgs({ options: { outage: { type: 'string', default: '10' } } })
const outageMs = Number(values.outage) * 60_000
const frozenMs = 60_000
const loadedMs = 5_000
const recoveryMs = 600_000

interface Trouble {
  readonly name: string
  bring(service: OpentsdbService): Promise<void>
}

const troubles: readonly Trouble[] = [
  {
    name: 'HBase killed with -9, started again at once',
    async bring(service) {
      await service.killHbase()
      await service.startHbase()
    },
  },
  {
    name: 'TSD killed with -9, started again at once',
    async bring(service) {
      await service.killTsd()
      await service.startTsd()
    },
  },
  {
    name: `HBase frozen (SIGSTOP) for ${frozenMs / 1000} s`,
    async bring(service) {
      service.freezeHbase()
      await sleep(frozenMs)
      service.thawHbase()
    },
  },
  {
    name: `TSD away for ${values.outage} minutes`,
    async bring(service) {
      await service.stopTsd()
      await sleep(outageMs)
      await service.startTsd()
    },
  },
]

const service = await startOpentsdb({ fixDuplicates: false })
try {
  for (const [i, trouble] of troubles.entries()) {
    const load = new StoreLoad({
      url: service.url,
      metric: `outage.${i}`,
      series: 500,
      everyMs: 250,
      settleMs: 30_000,
      timeoutMs: 10_000,
    })
    load.start()
    await until('the load is written', () => load.isWritten && load.health().state === 'ok')
    await sleep(loadedMs)
    await trouble.bring(service)
    const { points, lost, twice, writtenMs } = await load.finish(recoveryMs)
    const seconds = (writtenMs / 1000).toFixed(1)
    process.stdout.write(`| ${trouble.name} | ${points} | ${lost} | ${twice} | ${seconds} |\n`)
    if (lost > 0) process.exitCode = 1
  }
} finally {
  await service.stop()
}
