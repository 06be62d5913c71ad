/** Points of one series, or of a group of them, on their way through a query: ascending times, `length` of each column count. */
export interface SeriesPoints {
  readonly length: number
  /** Epoch ms. */
  readonly times: Float64Array
  /** NaN stands for a filled interval without a value. */
  readonly values: Float64Array
  /** 1 where the value is an integer; undefined when none is. */
  readonly integers: Uint8Array | undefined
}

export const noPoints: SeriesPoints = {
  length: 0,
  times: new Float64Array(0),
  values: new Float64Array(0),
  integers: undefined,
}
