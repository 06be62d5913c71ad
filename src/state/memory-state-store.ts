import type { StateOperation, StateStore } from '../core/state-store.ts'

/** State that lives as long as the process: specs, dry runs, tests. */
export class MemoryStateStore implements StateStore {
  readonly #entries = new Map<string, Uint8Array>()

  get(key: string): Uint8Array | undefined {
    const value = this.#entries.get(key)
    return value === undefined ? undefined : Uint8Array.from(value)
  }

  *range(from: string, to: string): Iterable<readonly [string, Uint8Array]> {
    const keys = [...this.#entries.keys()].filter((key) => key >= from && key < to).sort()
    for (const key of keys) {
      const value = this.#entries.get(key)
      if (value !== undefined) yield [key, Uint8Array.from(value)]
    }
  }

  commit(operations: readonly StateOperation[]): Promise<void> {
    for (const operation of operations) this.#apply(operation)
    return Promise.resolve()
  }

  sizeBytes(): number {
    let bytes = 0
    for (const [key, value] of this.#entries) bytes += key.length + value.length
    return bytes
  }

  close(): Promise<void> {
    return Promise.resolve()
  }

  #apply(operation: StateOperation): void {
    switch (operation.kind) {
      case 'put':
        // Not `slice`: that of a Buffer is no copy.
        this.#entries.set(operation.key, Uint8Array.from(operation.value))
        break
      case 'remove':
        this.#entries.delete(operation.key)
        break
      case 'remove-range':
        for (const key of this.#entries.keys()) {
          if (key >= operation.from && key < operation.to) this.#entries.delete(key)
        }
        break
    }
  }
}
