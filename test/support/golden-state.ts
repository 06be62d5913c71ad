import type { MetricPlan } from '../../src/core/plan.ts'
import type { StateOperation, StateStore } from '../../src/core/state-store.ts'
import { durationMs, epochMs } from '../../src/core/time.ts'
import { newJobState, saveJobState } from '../../src/pipeline/job-state.ts'
import { metricPlan, sliding } from './lane-rig.ts'
import { PipelineRig } from './pipeline-rig.ts'
import { ScriptedLog } from './scripted-source.ts'

/** Of every kind of state a metric keeps: each keep, distinct users, zero fill, sliding windows, values to withdraw, early points. */
const metrics: readonly MetricPlan[] = [
  metricPlan({
    name: 'best',
    keep: 'best',
    aggregates: [
      { kind: 'count', name: 'count' },
      { kind: 'sum', name: 'sum.amount', value: 0 },
      { kind: 'rate', name: 'rate', raw: false, success: ['success'], of: undefined },
    ],
    zeroFill: { enabled: true, expireAfter: durationMs(60_000), whenSilent: 'gap' },
  }),
  metricPlan({ name: 'last', keep: 'last', allowedLateness: durationMs(3_000) }),
  metricPlan({ name: 'first', keep: 'first', values: [], window: sliding(2_000, 500) }),
  metricPlan({
    name: 'users',
    values: [],
    aggregates: [
      { kind: 'users', name: 'users' },
      { kind: 'events', name: 'events' },
    ],
  }),
]

/** Documents of two partitions, retries and disorder in them; always the same. */
function documents(from: number, to: number): readonly (readonly object[])[] {
  const partitions: object[][] = [[], []]
  for (let n = from; n < to; n++) {
    const user = (n * 7919) % 40
    const t = 100_000 + n * 12 - ((n * 31) % 90)
    const o = (n * 13) % 3 === 0 ? 'success' : 'fail'
    const product = user % 3 === 0 ? 'b' : 'a'
    partitions[user % 2]?.push({ t, u: `u${user}`, product, o, amount: (n % 9) + 0.5 })
  }
  return partitions
}

const half = 400
const whole = 800

/** The first half counted and checkpointed, with windows live, users known, panes said, and points that no sink took. */
export async function goldenState(): Promise<string> {
  const rig = new PipelineRig(logOf(0, half))
  const job = newJobState('job', new Uint8Array(16), epochMs(1_700_000_000_000), [])
  await rig.store.commit([saveJobState(job)])
  const built = (await rig.build({ metrics })).start(false)
  await rig.pass(2_000)
  built.stop()
  if ((await built.finished()) !== 'stopped') throw new Error('the golden job did not stop')
  return dump(rig.store)
}

/** Goes on from a state with the second half, to the end. @returns value per metric, series and window */
export async function finishFrom(text: string | undefined): Promise<Map<string, number>> {
  const log = logOf(0, half)
  const rig = new PipelineRig(log)
  if (text !== undefined) await rig.store.commit(load(text))
  const built = (await rig.build({ metrics })).start()
  await rig.pass(1_000)
  built.drain()
  for (const [index, batch] of documents(half, whole).entries())
    log.send(`orders-${index}`, ...batch)
  built.source.end()
  const outcome = await built.finished()
  if (outcome !== 'ended') throw outcome
  return rig.stored()
}

function logOf(from: number, to: number): ScriptedLog {
  const log = new ScriptedLog('orders-0', 'orders-1')
  documents(from, to).forEach((batch, index) => {
    for (let at = 0; at < batch.length; at += 10)
      log.send(`orders-${index}`, ...batch.slice(at, at + 10))
  })
  return log
}

/** A state as text: a line for each entry, key, tab, value in base64. */
export function dump(store: StateStore): string {
  const lines = [...store.range('', '\uffff')].map(
    ([key, value]) => `${key}\t${Buffer.from(value).toString('base64')}\n`,
  )
  return lines.join('')
}

export function load(text: string): StateOperation[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [key = '', value = ''] = line.split('\t')
      return { kind: 'put', key, value: Buffer.from(value, 'base64') }
    })
}
