import type { FilledTopic } from '../load/fill-topic.ts'
import type { Measured } from './stopwatch.ts'

/** What a peer reads. */
export interface Task {
  readonly bootstrap: string
  readonly topic: FilledTopic
  /** End of the last hour that closes, epoch ms. */
  readonly endMs: number
}

/** One way to do the job. */
export interface Peer {
  readonly key: string
  readonly name: string
  /** Why it can't run here, in one sentence; undefined when it can. */
  missing(): string | undefined
  /** Reads the topic once, in processes of its own. Rejects when a count is not what it must be. */
  measure(task: Task): Promise<Measured>
}
