const halfHourMs = 1_800_000

/** Before the mark: a message that leaves now may arrive at it. */
const beforeMs = 2_000

/**
 * When a message that is ready now may leave, so that it does not arrive with everybody else's at :00 or :30, where Feishu refuses for want of
 * capacity (code 11232). All zones with whole or half hours have the same marks. Pure.
 * @param jitter uniform in [0, 1)
 * @param quietMs how long after a mark nothing is sent; 0: no care is taken
 * @param spreadMs over how long after that messages are spread
 */
export function afterPressure(
  now: number,
  jitter: number,
  quietMs = 15_000,
  spreadMs = 15_000,
): number {
  if (quietMs <= 0) return now
  const mark = Math.floor((now + beforeMs) / halfHourMs) * halfHourMs
  return now < mark + quietMs ? mark + quietMs + Math.floor(jitter * spreadMs) : now
}
