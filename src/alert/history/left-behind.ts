import type { StateOperation, StateStore } from '../../core/state-store.ts'

/** Removes what the state holds of metrics that are no longer there. @param present by name */
export function leftBehind(
  store: StateStore,
  present: ReadonlyMap<string, unknown>,
): readonly StateOperation[] {
  const prefix = 'alert/metric/'
  return [...store.range(prefix, `${prefix}~`)].flatMap(([key]): StateOperation[] => {
    const name = key.slice(prefix.length)
    if (present.has(name)) return []
    const all = (part: string) => ({
      from: `alert/${part}/${name}/`,
      to: `alert/${part}/${name}/~`,
    })
    return [
      { kind: 'remove', key },
      { kind: 'remove-range', ...all('window') },
      { kind: 'remove-range', ...all('series') },
    ]
  })
}
