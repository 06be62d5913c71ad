import type { SideOutput, SideRecord } from '../../src/ingest/side-output.ts'

/** A side output whose medium is an array that outlives it; the mark is its length. */
export class MemorySideOutput implements SideOutput {
  readonly written: SideRecord[]
  /** Called before each write; what it throws fails the flush. */
  beforeFlush: () => void | Promise<void> = () => {}
  #pending: SideRecord[] = []

  constructor(written: SideRecord[] = []) {
    this.written = written
  }

  async restore(mark: string | undefined): Promise<void> {
    if (mark !== undefined) this.written.length = Math.min(this.written.length, Number(mark))
  }

  append(record: SideRecord): void {
    this.#pending.push(record)
  }

  pendingBytes(): number {
    return this.#pending.reduce((bytes, { json }) => bytes + json.length + 1, 0)
  }

  async flush(): Promise<string> {
    await this.beforeFlush()
    for (const record of this.#pending.splice(0)) this.written.push(record)
    return String(this.written.length)
  }

  async close(): Promise<void> {}
}
