import type { JobEvidence, WindowClosing } from '../core/evidence.ts'
import type { Pane } from '../core/pane.ts'
import type { StateOperation } from '../core/state-store.ts'

/**
 * Decides on panes and keeps what it decided in the same checkpoint as the panes: the alerts. Evaluate → commit → send:
 * nothing leaves before `committed`.
 */
export interface CheckpointCompanion {
  /** Asked at every tick: must something be decided or written now, without waiting for the next checkpoint? */
  isDue(evidence: JobEvidence): boolean
  /** What has to be in the same transaction as these panes. Called at the instant the checkpoint is collected. */
  collect(
    panes: readonly Pane[],
    closings: readonly WindowClosing[],
    evidence: JobEvidence,
  ): readonly StateOperation[]
  /** Everything that the last `collect` gave is durable. */
  committed(): void
}
