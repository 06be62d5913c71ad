/** A one-bit event between a producer and its waiters: a `notify` with nobody waiting is kept for the next `wait`. */
export class Wakeup {
  #set = false
  readonly #waiters = new Set<() => void>()

  notify(): void {
    if (this.#waiters.size === 0) {
      this.#set = true
      return
    }
    const waiters = [...this.#waiters]
    this.#waiters.clear()
    for (const wake of waiters) wake()
  }

  /** Resolves at the next `notify`, or at once when there was one since the last `wait`; rejects with the signal's reason. */
  async wait(signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted()
    if (this.#set) {
      this.#set = false
      return
    }
    await new Promise<void>((resolve, reject) => {
      const abort = (): void => {
        this.#waiters.delete(wake)
        reject(signal?.reason)
      }
      const wake = (): void => {
        signal?.removeEventListener('abort', abort)
        resolve()
      }
      this.#waiters.add(wake)
      signal?.addEventListener('abort', abort, { once: true })
    })
  }
}
