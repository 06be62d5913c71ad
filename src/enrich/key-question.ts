/** Keys of one dimension and one slice that a lane needs the values of. Everything can be cloned. */
export interface KeyQuestion {
  /** Index among the metrics of the source. */
  readonly metric: number
  /** Start of the slice. */
  readonly slice: number
  /** Index among the dimensions of the metric. */
  readonly dimension: number
  readonly keys: readonly string[]
}

/** The values that these keys have in that slice, for good. */
export interface KeyAnswer extends KeyQuestion {
  /** In the order of `keys`. */
  readonly values: readonly string[]
}
