/** A time in the checkpoint, where JSON has no infinities: null is before every event, `ended` after all of a bounded source. */
export type SavedTime = number | null | 'ended'

export function saveTime(time: number): SavedTime {
  if (Number.isFinite(time)) return time
  return time < 0 ? null : 'ended'
}

export function restoreTime(saved: SavedTime): number {
  if (saved === null) return Number.NEGATIVE_INFINITY
  return saved === 'ended' ? Number.POSITIVE_INFINITY : saved
}
