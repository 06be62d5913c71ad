/** How the lanes of a source are arranged: who counts which user. */
export interface LaneLayout {
  readonly lanes: number
  /** Users have a lane of their own, by key group; else every lane counts the users of its partitions. */
  readonly shuffled: boolean
  /** Partitions of each topic; undefined: not known, and no matter. */
  readonly partitions: number | undefined
}

/** A lane by itself, which counts everything. */
export const oneLane: LaneLayout = { lanes: 1, shuffled: false, partitions: undefined }

/** Short text, safe in a key of the state: two layouts with the same text give every user the same lane. */
export function layoutText({ lanes, shuffled, partitions }: LaneLayout): string {
  if (lanes === 1) return 'one'
  return shuffled ? `shuffled-${lanes}` : `keyed-${lanes}-${partitions ?? 0}`
}

/**
 * Lanes that must know entries which `lane` wrote under `layout`. When lanes are arranged as they were, that is the same lane;
 * else all, of which a shuffled one takes what is in its key groups. What a lane knows beyond its own users does no harm.
 */
export function lanesKnowing(current: LaneLayout, layout: string, lane: number): number[] {
  if (current.lanes > 1 && layoutText(current) === layout) return [lane]
  return Array.from({ length: current.lanes }, (_, index) => index)
}
