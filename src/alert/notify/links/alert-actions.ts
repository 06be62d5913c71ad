import type { EpochMs } from '../../../core/time.ts'
import type { LinkRequest } from './link-maker.ts'

/** What a person asked for, with their name to it. */
export interface ActionRequest extends LinkRequest {
  readonly who: string
  readonly reason: string
  readonly at: EpochMs
}

/** Port: what links and the API can do to alerts. Asked twice for the same thing, it does it once. */
export interface AlertActions {
  /** The alerts that the target stands for now, one line each; empty: none goes on. */
  preview(target: LinkRequest['target']): readonly string[]
  /** @returns what was done, in words; `problem` when it could not be */
  silence(request: ActionRequest): { readonly done: string } | { readonly problem: string }
  acknowledge(request: ActionRequest): { readonly done: string } | { readonly problem: string }
}
