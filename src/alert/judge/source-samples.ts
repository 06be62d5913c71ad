import type { JobEvidence } from '../../core/evidence.ts'
import type { EpochMs } from '../../core/time.ts'

interface Sample {
  readonly at: EpochMs
  readonly records: number
  readonly dead: number
}

/** How long totals are remembered, and how far apart at least. */
const rememberMs = 3_600_000
const apartMs = 5_000
/** Span that the rate of a source is taken over for evidence. */
const rateOverMs = 300_000

/** Totals over time, for rates. A restart begins anew: rates are unknown until there are two looks at a source. */
export class SourceSamples {
  readonly #sources = new Map<string, Sample[]>()
  readonly #late = new Map<string, Sample[]>()

  add(evidence: JobEvidence): void {
    for (const { name, records, dead } of evidence.sources) {
      keep(this.#sources, name, { at: evidence.now, records, dead })
    }
    for (const [metric, records] of evidence.late) {
      keep(this.#late, metric, { at: evidence.now, records, dead: 0 })
    }
  }

  /** Records and dead letters of a source in the last `overMs`, and how long that is; undefined while unknown. */
  source(name: string, overMs: number): Delta | undefined {
    return delta(this.#sources.get(name), overMs)
  }

  /** Records per second of a source over the last minutes; undefined while unknown. */
  rate(name: string): number | undefined {
    const delta = this.source(name, rateOverMs)
    return delta === undefined ? undefined : (delta.records * 1000) / delta.ms
  }

  /** Late events of a metric, as `records`. */
  late(metric: string, overMs: number): Delta | undefined {
    return delta(this.#late.get(metric), overMs)
  }
}

export interface Delta {
  readonly ms: number
  readonly records: number
  readonly dead: number
}

function keep(series: Map<string, Sample[]>, name: string, sample: Sample): void {
  const samples = series.get(name) ?? []
  series.set(name, samples)
  const last = samples.at(-1)
  // A clock that was set back, or totals that began anew.
  if (last !== undefined && (sample.at < last.at || sample.records < last.records))
    samples.length = 0
  const before = samples.at(-2)
  if (before !== undefined && last !== undefined && last.at - before.at < apartMs) samples.pop()
  samples.push(sample)
  while ((samples[1]?.at ?? sample.at) < sample.at - rememberMs) samples.shift()
}

function delta(samples: readonly Sample[] | undefined, overMs: number): Delta | undefined {
  const last = samples?.at(-1)
  if (samples === undefined || last === undefined || samples.length < 2) return undefined
  let first = samples[0]
  for (const sample of samples) if (sample.at <= last.at - overMs) first = sample
  if (first === undefined || first === last) return undefined
  return {
    ms: last.at - first.at,
    records: last.records - first.records,
    dead: last.dead - first.dead,
  }
}
