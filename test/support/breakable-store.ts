import type { StateOperation } from '../../src/core/state-store.ts'
import { MemoryStateStore } from '../../src/state/memory-state-store.ts'

/** A store in memory whose commits a test can make fail or wait. */
export class BreakableStore extends MemoryStateStore {
  /** Commits so far, failed ones included. */
  commits = 0
  /** Called before each commit; what it throws fails the commit. */
  beforeCommit: () => void | Promise<void> = () => {}

  override async commit(operations: readonly StateOperation[]): Promise<void> {
    this.commits++
    await this.beforeCommit()
    await super.commit(operations)
  }
}
