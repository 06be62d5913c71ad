import { WardenError } from '../core/errors.ts'
import type { Tenure } from '../core/tenure.ts'
import type { SideOutput, SideRecord } from './side-output.ts'

/** A side output that writes nothing once the right to is over. */
export class FencedSideOutput implements SideOutput {
  readonly #output: SideOutput
  readonly #tenure: Tenure

  constructor(output: SideOutput, tenure: Tenure) {
    this.#output = output
    this.#tenure = tenure
  }

  restore(mark: string | undefined): Promise<void> {
    return this.#output.restore(mark)
  }

  append(record: SideRecord): void {
    this.#output.append(record)
  }

  pendingBytes(): number {
    return this.#output.pendingBytes()
  }

  async flush(): Promise<string> {
    if (this.#tenure.held()) return await this.#output.flush()
    throw new WardenError('lease_lost', 'another Warden may hold the lease: nothing is written')
  }

  close(): Promise<void> {
    return this.#output.close()
  }
}
