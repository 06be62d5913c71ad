/**
 * What a real OpenTSDB on a real HBase loses when they are killed, frozen and away under load, in full length: about 16 minutes.
 * `node --import tsx test/chaos/store-outages.ts [--outage MINUTES] [--only TEXT]`; prints the rows of the table in docs/reliability.md.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { freezeHbase } from '../support/frozen-hbase.ts'
import { type OpentsdbService, startOpentsdb } from '../support/opentsdb-service.ts'
import { StoreLoad } from '../support/store-load.ts'
import { until } from '../support/until.ts'

const { values } = parseArgs({
  options: {
    outage: { type: 'string', default: '10' },
    only: { type: 'string', default: '' },
  },
})
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
    name: `HBase frozen (SIGSTOP) for ${frozenMs / 1000} s; it ends itself when thawed, and is started again`,
    async bring(service) {
      await freezeHbase(service, frozenMs)
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
    if (!trouble.name.includes(values.only)) continue
    const load = new StoreLoad({
      url: service.url,
      metric: `outage.${i}`,
      series: 500,
      everyMs: 250,
      settleMs: 30_000,
      timeoutMs: 10_000,
    })
    load.start()
    const isWell = () => load.isWritten && load.health().state === 'ok'
    await until('the load is written', isWell, recoveryMs)
    await sleep(loadedMs)
    await trouble.bring(service)
    const { points, lost, twice, writtenMs } = await load.finish(recoveryMs).catch((cause) => {
      const running = ['hbase', 'tsd'].filter((id) => service.processes.isRunning(id))
      const what = `${trouble.name}: running: ${running.join()}; ${JSON.stringify(load.health())}`
      throw new Error(what, { cause })
    })
    const seconds = (writtenMs / 1000).toFixed(1)
    process.stdout.write(`| ${trouble.name} | ${points} | ${lost} | ${twice} | ${seconds} |\n`)
    if (lost > 0) process.exitCode = 1
  }
} finally {
  await service.stop()
}
