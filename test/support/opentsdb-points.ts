/** 2026-11-20T00:00:00Z, in seconds. */
export const DAY = 1_795_132_800
export const HOUR = 3_600

type Tags = Readonly<Record<string, string>>
export interface CompatPoint {
  readonly metric: string
  readonly timestamp: number
  readonly value: string | number
  readonly tags: Tags
}

/** The same data for both, under names that begin with `prefix`. */
export function compatPoints(prefix: string): CompatPoint[] {
  const points: CompatPoint[] = []
  const add = (name: string, timestamp: number, value: string | number, tags: Tags): void => {
    points.push({ metric: `${prefix}.${name}`, timestamp, value, tags })
  }
  for (let hour = 0; hour < 24; hour++) {
    for (const [at, host] of ['web01', 'web02', 'db01', 'WEB03'].entries()) {
      const dc = host === 'db01' ? 'lax' : 'fra'
      const at0 = DAY + hour * HOUR
      // Hosts have gaps at different hours; db01 is off the hour.
      if ((hour + at) % 5 !== 0) {
        add('orders', at0 + (host === 'db01' ? 600 : 0), `${hour * 10 + at}.5`, { host, dc })
      }
      add('ints', at0, hour * 7 + at * at, { host, dc })
    }
    add('orders', DAY + hour * HOUR, `${hour}.25`, { host: 'web01', dc: 'fra', extra: 'yes' })
    add('counter', DAY + hour * HOUR, String((hour * 37) % 100), { host: 'web01' })
    add('counter', DAY + hour * HOUR + 60, `${(hour * 53) % 90}.5`, { host: 'web02' })
  }
  // One odd timestamp between the points of others.
  for (const [at, host] of ['a', 'b', 'c', 'd'].entries()) {
    add('odd', DAY, `${at + 1}.0`, { host })
    add('odd', DAY + 600, `${at + 11}.0`, { host })
    add('oddint', DAY, at + 1, { host })
    add('oddint', DAY + 600, at * 3 + 12, { host })
  }
  add('odd', DAY + 250, '99.5', { host: 'a' })
  add('oddint', DAY + 250, 99, { host: 'a' })
  for (let at = 0; at < 40; at++) {
    const ms = DAY * 1_000 + at * 250
    add('ms', ms, `${at}.5`, { host: at % 2 === 0 ? 'x' : 'y' })
  }
  add('gap', DAY + 60, '1.5', { host: 'x' })
  add('gap', DAY + 5 * HOUR, '2.5', { host: 'x' })
  add('gap', DAY + 9 * HOUR, '-4.5', { host: 'x' })
  return points
}
