import type { WardenError } from '../core/errors.ts'
import type { EpochMs } from '../core/time.ts'
import type { DeliveryHealth } from '../sink/delivery-health.ts'
import type { BuiltPipeline } from './build-pipeline.ts'
import type { JobHealth } from './http-server.ts'

export type JobPhase = 'starting' | 'running' | 'failed' | 'draining' | 'done'

export interface JobParts {
  readonly now: EpochMs
  readonly phase: JobPhase
  /** Why the pipeline last failed; undefined: it never did. */
  readonly lastFailure: WardenError | undefined
  readonly checkpointIntervalMs: number
  /** undefined: none was built yet. */
  readonly current:
    | Pick<BuiltPipeline, 'pipeline' | 'checkpointer' | 'inputs' | 'tables'>
    | undefined
  readonly sinks: readonly (DeliveryHealth & { readonly name: string })[]
}

/** What is wrong with a job. It is ready when it counts and its checkpoints are young; a source or sink in trouble is told, and retried. */
export function jobHealth(parts: JobParts): JobHealth {
  const { current } = parts
  const isOpening = parts.phase === 'running' && !current?.pipeline.opened
  const phase = isOpening ? 'starting' : parts.phase
  const checkpointAgeMs = current && parts.now - current.checkpointer.succeededAt
  const troubles: string[] = []
  if (phase !== 'running') {
    const why = parts.lastFailure === undefined ? '' : `: ${parts.lastFailure.message}`
    troubles.push(`the job is ${phase}${why}`)
  }
  if (checkpointAgeMs !== undefined && checkpointAgeMs > parts.checkpointIntervalMs * 3 + 60_000) {
    troubles.push(`the last checkpoint is ${Math.round(checkpointAgeMs / 1000)} s old`)
  }
  const ready = troubles.length === 0
  const sources = (current?.inputs ?? []).map((input) => ({
    name: input.name,
    partitions: input.partitions().map(({ name, lag, trouble, position }) => ({
      name,
      offset: position.offset,
      lag,
      trouble,
    })),
  }))
  for (const { name, partitions } of sources) {
    for (const partition of partitions) {
      if (partition.trouble === undefined) continue
      troubles.push(`${name}/${partition.name}: ${partition.trouble}`)
    }
  }
  const tables = current?.tables() ?? []
  for (const { name, trouble } of tables) {
    if (trouble !== undefined) troubles.push(`table ${name}: ${trouble}`)
  }
  for (const { name, state, lastError } of parts.sinks) {
    if (state === 'ok') continue
    troubles.push(`sink ${name} is ${state}: ${lastError ?? 'no error yet'}`)
  }
  return {
    ready,
    troubles,
    details: { phase, checkpointAgeMs, sources, tables, sinks: parts.sinks },
  }
}
