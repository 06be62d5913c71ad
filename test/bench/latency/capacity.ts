import { setTimeout as sleep } from 'node:timers/promises'
import { until } from '../../support/until.ts'
import type { LiveLoadChild } from '../load/live-load-child.ts'
import { sumOf, type WardenRun } from '../peers/warden-run.ts'

const warmUpMs = 3000
const capacitySeconds = 15

/** What is counted while the producer writes as fast as it can. */
export async function capacityOf(run: WardenRun, load: LiveLoadChild): Promise<number> {
  await untilCaughtUp(run, load)
  load.setRate(Number.POSITIVE_INFINITY)
  await sleep(warmUpMs)
  const counted = async () => sumOf(await run.metrics(), 'warden_records_total')
  const [from, sent, fromMs] = [await counted(), load.events, performance.now()]
  await sleep(capacitySeconds * 1000)
  const perSecond = (events: number) => (events * 1000) / (performance.now() - fromMs)
  const rate = perSecond((await counted()) - from)
  const thousands = (value: number) => `${Math.round(value / 1000)}k/s`
  console.error(`capacity: ${thousands(rate)}, sent ${thousands(perSecond(load.events - sent))}`)
  load.setRate(0)
  return rate
}

/** Resolves when less than a fifth of a second of events is on its way. */
export async function untilCaughtUp(run: WardenRun, load: LiveLoadChild): Promise<void> {
  await until(
    'Warden has caught up',
    async () => {
      const behind = load.events - sumOf(await run.metrics(), 'warden_records_total')
      return behind <= 0.2 * load.perSecond
    },
    120_000,
    200,
  )
}
