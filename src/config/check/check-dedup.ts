import { type DedupBackendName, dedupAbilities } from '../../core/dedup.ts'
import { formatDuration } from '../../core/time.ts'
import type { Locator, Place } from '../read/locator.ts'
import type { MetricDocument } from '../schema.ts'

type DedupDocument = NonNullable<MetricDocument['dedup']>

const longestHorizonMs = 365 * 86_400_000

/** Checks a metric's `dedup` against what its backend can do. */
export function checkDedup(name: string, metric: MetricDocument, locator: Locator): void {
  const { dedup } = metric
  if (dedup === undefined) return
  const at: Place = ['metrics', name, 'dedup']
  checkKeep(at, dedup, metric, locator)
  checkParticulars(at, dedup, locator)
  checkHorizon(at, dedup, metric, locator)
}

/** What must be written of a backend. */
const particulars: Readonly<Partial<Record<DedupBackendName, string>>> = {
  bloom: 'backend: { type: bloom, keys: 1000000 }, with the users of a window',
  redis: "backend: { type: redis, url: 'redis://127.0.0.1:6379/0' }",
}

/** Name of the backend, however it is written. */
export const backendName = ({ backend }: DedupDocument): DedupBackendName =>
  typeof backend === 'string' ? backend : backend.type

/** Does what counts stay, whatever comes later? */
export const countsByArrival = (dedup: DedupDocument): boolean =>
  dedupAbilities[backendName(dedup)].byArrival || dedup.per !== 'window'

function checkKeep(
  at: Place,
  dedup: DedupDocument,
  metric: MetricDocument,
  locator: Locator,
): void {
  const backend = backendName(dedup)
  const { keeps } = dedupAbilities[backend]
  const { keep } = dedup
  if (keeps.length === 0) {
    if (keep !== undefined) {
      const what = `${backend} cannot say of an event whether its user is new, so it serves no keep`
      const right =
        'leave keep out and write aggregates: [users], or choose another backend, such as bloom'
      locator.value([...at, 'keep'], what, right)
    }
    if (!metric.aggregates.includes('users')) {
      const what = `${backend} counts distinct users only, and the metric has no aggregate users`
      locator.key([...at, 'backend'], what, 'add users to aggregates')
    }
    return
  }
  if (keep === undefined) {
    const right = 'write keep: first, last or best, or leave dedup out'
    locator.key(at, 'keep is missing', right)
    return
  }
  if (keeps.includes(keep)) return
  const what = `${backend} keeps the first event to arrive, and cannot keep the ${keep} one`
  locator.value([...at, 'keep'], what, `write keep: ${keeps.join(' or ')}, or backend: exact`)
}

function checkParticulars(at: Place, { backend }: DedupDocument, locator: Locator): void {
  const place = [...at, 'backend']
  if (typeof backend === 'string') {
    const written = particulars[backend]
    if (written !== undefined)
      locator.value(place, `${backend} has particulars that must be written`, `write ${written}`)
    return
  }
  const percent = (share: number) => `${Number((share * 100).toFixed(6))}%`
  if (backend.type === 'bloom') {
    const { falsePositives } = backend
    if (falsePositives >= 0.0001 && falsePositives <= 0.5) return
    const what = `a share of ${percent(falsePositives)}`
    locator.value([...place, 'falsePositives'], what, 'allowed are 0.01% to 50%')
  } else if (backend.type === 'hyperloglog') {
    if (backend.error >= 0.0021 && backend.error <= 0.25) return
    const what = `an error of ${percent(backend.error)}`
    locator.value([...place, 'error'], what, 'allowed are 0.21% to 25%')
  } else if (backend.timeout < 50 || backend.timeout > 60_000) {
    const what = `a timeout of ${formatDuration(backend.timeout)}`
    locator.value([...place, 'timeout'], what, 'allowed are 50ms to 1m')
  }
}

function checkHorizon(
  at: Place,
  dedup: DedupDocument,
  metric: MetricDocument,
  locator: Locator,
): void {
  const { per, keep } = dedup
  if (per === 'window') return
  const place = [...at, 'per']
  const text = formatDuration(per)
  const { size } = metric.window
  if (backendName(dedup) !== 'exact') {
    const what = `${backendName(dedup)} knows the users of a window, not those of ${text}`
    locator.value(place, what, 'leave per out, or write backend: exact')
  } else if (keep !== undefined && keep !== 'first') {
    const what = `over ${text} only the first event to arrive can be kept, not the ${keep} one`
    locator.value(place, what, 'write keep: first, or leave per out')
  } else if (per <= size || per > longestHorizonMs) {
    const what = `once in ${text}`
    const right = `allowed is what is longer than the window (${formatDuration(size)}), up to 365d; leave per out for the window`
    locator.value(place, what, right)
  }
}
