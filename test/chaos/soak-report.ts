import { table } from '../bench/report/peers-table.ts'
import { spreadOf } from '../bench/report/spread.ts'
import type { SoakResult, SoakSample } from './soak-run.ts'

const mib = 2 ** 20
const rows = 12
/** Windows that must close, so that LMDB has had to use pages again. */
export const leastWindows = 24
/** Memory and the state may grow by so much from the second quarter to the last … */
const mostGrowth = 1.1
/** … or by so many bytes: a small state moves by single pages. */
const mostBytes = 8 * mib

/** What a soak must show; each with what was seen. */
export function verdicts(
  result: SoakResult,
): { readonly claim: string; readonly holds: boolean }[] {
  const { samples, sent, counted, late, dead, windows, compared, wrong } = result
  const rss = growth(samples, (one) => one.rssBytes)
  const heap = growth(samples, (one) => one.heapBytes)
  const state = growth(samples, (one) => one.stateBytes)
  const last = samples.at(-1)
  const written = ((last?.writtenBytes ?? 0) / 2 ** 30).toFixed(2)
  const file = ((last?.stateBytes ?? 0) / mib).toFixed(0)
  const worst = Math.max(...samples.map(({ lagEvents }) => lagEvents)) / result.rate
  return [
    {
      claim: `Nothing is lost: ${sent} events sent, ${counted} read, ${late} late, ${dead} dead letters`,
      holds: sent === counted && late === 0 && dead === 0,
    },
    {
      claim: `All counts are right: ${compared} compared, ${wrong.length} wrong${wrong.length > 0 ? ` (${wrong[0]})` : ''}`,
      holds: compared > 0 && wrong.length === 0,
    },
    {
      claim: `${windows} windows closed, ${leastWindows} or more wanted`,
      holds: windows >= leastWindows,
    },
    {
      claim: `Resident memory: ${percent(rss.factor)} from the second quarter to the last`,
      holds: rss.isFlat,
    },
    { claim: `Heap of the main thread: ${percent(heap.factor)}`, holds: heap.isFlat },
    {
      claim: `LMDB uses its pages again: ${written} GiB written by checkpoints, ${file} MiB on disk, ${percent(state.factor)}`,
      holds: state.isFlat,
    },
    { claim: `Never more than ${worst.toFixed(1)} s behind at a sample`, holds: worst < 10 },
  ]
}

/** Markdown: verdicts, and a dozen of the samples. */
export function soakReport(result: SoakResult): string {
  const { samples } = result
  const list = verdicts(result).map(
    ({ claim, holds }) => `- ${holds ? '' : '**NOT SO** '}${claim}.`,
  )
  const step = Math.max(1, Math.floor((samples.length - 1) / rows))
  const shown = samples.filter((_, index) => index % step === 0)
  const heads = [
    'minute',
    'M events counted',
    'lag, ms',
    'RSS, MiB',
    'heap, MiB',
    'state on disk, MiB',
  ]
  return [
    `Capacity ${thousands(result.capacity)} events/s with the producer on the same cores, load ${thousands(result.rate)} events/s.`,
    list.join('\n'),
    table(
      [...heads, 'written, GiB', 'worst stall, ms'],
      shown.map((one) => [
        (one.second / 60).toFixed(1),
        (one.counted / 1e6).toFixed(1),
        ((Math.max(0, one.lagEvents) / result.rate) * 1000).toFixed(0),
        (one.rssBytes / mib).toFixed(0),
        (one.heapBytes / mib).toFixed(0),
        (one.stateBytes / mib).toFixed(0),
        (one.writtenBytes / 2 ** 30).toFixed(2),
        one.worstStallMs.toFixed(0),
      ]),
    ),
  ].join('\n\n')
}

/** Medians of the second quarter of the samples and of the last. */
function growth(samples: readonly SoakSample[], of: (one: SoakSample) => number) {
  const quarter = Math.floor(samples.length / 4)
  const median = (from: number, to: number | undefined) =>
    spreadOf(samples.slice(from, to).map(of)).median
  const [from, to] = [median(quarter, 2 * quarter), median(-quarter, undefined)]
  return { factor: to / from, isFlat: to <= from * mostGrowth || to - from <= mostBytes }
}

function percent(factor: number): string {
  const change = (factor - 1) * 100
  return `${change < 0 ? '' : '+'}${change.toFixed(1)} %`
}

function thousands(rate: number): string {
  return `${Math.round(rate / 1000)} k`
}
