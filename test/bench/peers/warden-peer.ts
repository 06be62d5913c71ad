import type { Peer, Task } from './peer.ts'
import { type Measured, Stopwatch } from './stopwatch.ts'
import { knowsLanes, type WardenSetup } from './warden-config.ts'
import { untilPointsEqual } from './warden-counts.ts'
import { type Figures, sumOf, thisWarden, WardenRun } from './warden-run.ts'

/** Reading takes seconds, and asking costs Warden a millisecond or two. */
const usualLookMs = 100

export interface WardenPeerOptions {
  readonly key: string
  readonly name: string
  readonly lanes: number
  readonly program?: string
  readonly nodeArguments?: readonly string[]
  readonly setup?: Partial<WardenSetup>
  /** Time between looks at /metrics. */
  readonly lookMs?: number
}

/** `warden run` on the topic with a file sink. */
export function wardenPeer(options: WardenPeerOptions): Peer {
  const { key, name, lanes, program = thisWarden } = options
  return {
    key,
    name,
    missing: () =>
      lanes > 1 && !knowsLanes(program)
        ? 'this Warden does not know the key `lanes` yet.'
        : undefined,
    measure: async (task) => (await measureWarden(task, options)).measured,
  }
}

/** Also gives the last figures of /metrics. */
export async function measureWarden(
  task: Task,
  options: Omit<WardenPeerOptions, 'key' | 'name'>,
): Promise<{ readonly measured: Measured; readonly figures: Figures }> {
  const { lanes, program, nodeArguments, setup = {}, lookMs = usualLookMs } = options
  const { bootstrap, topic } = task
  const whole = { ...setup, bootstrap, topic: topic.name, lanes }
  const run = await WardenRun.start(whole, program, nodeArguments)
  try {
    const watch = new Stopwatch(topic.records, () => run.pids)
    await run.untilCounted(topic.records, lookMs, (records) => watch.reached(records))
    await untilPointsEqual(run.directory, topic.expected, task.endMs)
    const figures = await run.metrics()
    const checkpoints = sumOf(figures, 'warden_checkpoint_duration_seconds_count')
    const measured = watch.measured(checkpoints)
    await run.stop()
    return { measured, figures }
  } finally {
    await run.remove()
  }
}
