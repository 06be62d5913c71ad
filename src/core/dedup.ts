export type DedupBackendName = 'exact' | 'bloom' | 'bitmap' | 'hyperloglog' | 'redis'

/** Where the users of a metric are remembered, when that is not the exact table. */
export type DedupBackend =
  | {
      readonly type: 'bloom'
      /** Keys a window is expected to have; with more the rate of false positives rises, the memory does not. */
      readonly keys: number
      /** Share of new keys that may be taken for known ones when `keys` keys are there, 0…1. */
      readonly falsePositives: number
    }
  | { readonly type: 'bitmap' }
  | {
      readonly type: 'hyperloglog'
      /** Standard error of a number of users, 0…1. */
      readonly error: number
    }
  | {
      readonly type: 'redis'
      /** Keys of the cache in front, per lane; 0: none. */
      readonly cacheKeys: number
    }

/** What a backend can do; the config is checked against it. `keeps` of one by arrival means the first to arrive. */
export interface DedupAbilities {
  readonly keeps: readonly ('first' | 'last' | 'best')[]
  /** May count a known user again or take a new one for known. */
  readonly approximate: boolean
  /** Its winner stays whatever comes later: nothing is ever withdrawn. */
  readonly byArrival: boolean
}

export const dedupAbilities: Readonly<Record<DedupBackendName, DedupAbilities>> = {
  exact: { keeps: ['first', 'last', 'best'], approximate: false, byArrival: false },
  bloom: { keeps: ['first'], approximate: true, byArrival: true },
  bitmap: { keeps: ['first'], approximate: false, byArrival: true },
  hyperloglog: { keeps: [], approximate: true, byArrival: true },
  redis: { keeps: ['first'], approximate: false, byArrival: true },
}
