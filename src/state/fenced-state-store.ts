import { WardenError } from '../core/errors.ts'
import type { StateOperation, StateStore } from '../core/state-store.ts'
import type { Tenure } from '../core/tenure.ts'

/**
 * A state that commits nothing once the right to is over. A commit during which it ended counts as failed, though it may be there:
 * nothing that follows a checkpoint (offsets, messages) may happen then.
 */
export class FencedStateStore implements StateStore {
  readonly #store: StateStore
  readonly #tenure: Tenure

  constructor(store: StateStore, tenure: Tenure) {
    this.#store = store
    this.#tenure = tenure
  }

  get(key: string): Uint8Array | undefined {
    return this.#store.get(key)
  }

  range(from: string, to: string): Iterable<readonly [key: string, value: Uint8Array]> {
    return this.#store.range(from, to)
  }

  async commit(operations: readonly StateOperation[]): Promise<void> {
    this.#check()
    await this.#store.commit(operations)
    this.#check()
  }

  sizeBytes(): number {
    return this.#store.sizeBytes()
  }

  close(): Promise<void> {
    return this.#store.close()
  }

  #check(): void {
    if (this.#tenure.held()) return
    throw new WardenError('lease_lost', 'another Warden may hold the lease: nothing is committed')
  }
}
