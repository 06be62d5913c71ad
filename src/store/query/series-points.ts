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

/** The same points with `integers` left out when there is none, so that later steps can take the fast path. */
export function seriesPoints(
  length: number,
  times: Float64Array,
  values: Float64Array,
  integers: Uint8Array | undefined,
): SeriesPoints {
  let any = false
  if (integers !== undefined) {
    for (let at = 0; at < length && !any; at++) any = integers[at] === 1
  }
  return { length, times, values, integers: any ? integers : undefined }
}
