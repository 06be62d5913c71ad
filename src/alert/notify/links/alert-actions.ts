import type { EpochMs } from '../../../core/time.ts'
import type { LinkRequest } from './link-maker.ts'

/** What a person asked for, with their name to it. */
export interface ActionRequest extends LinkRequest {
  readonly who: string
  readonly reason: string
  readonly at: EpochMs
}

/** Port: what links and the API can do to alerts. Asked twice by the same link, the later one counts. */
export interface AlertActions {
  /** The alerts with these labels that go on now, one line each. */
  preview(labels: LinkRequest['labels']): readonly string[]
  /** @returns what was done, in words; `problem` when it could not be */
  silence(request: ActionRequest): { readonly done: string } | { readonly problem: string }
  acknowledge(request: ActionRequest): { readonly done: string } | { readonly problem: string }
}
