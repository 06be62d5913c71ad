import type { PipelineRule, SeverityName } from '../../core/alert-plan.ts'
import type { JobEvidence, SourceEvidence } from '../../core/evidence.ts'
import type { Tags } from '../history/series-names.ts'
import type { SourceSamples } from '../judge/source-samples.ts'
import { isSilent, totalLag } from '../judge/verdict.ts'
import { insufficient, type Judgement, judgeBounds, shown } from './judgement.ts'

/** One source, sink or metric with its number; undefined: not known now. */
export interface Signal {
  readonly tags: Tags
  readonly value: number | undefined
  /** What goes behind the number: ` s`, ` records`. */
  readonly unit: string
  /** More about it, in words. */
  readonly detail: string
}

/** The numbers that a pipeline rule judges now. */
export function signalsOf(
  rule: PipelineRule,
  evidence: JobEvidence,
  samples: SourceSamples,
  sourceOf: (metric: string) => string,
): readonly Signal[] {
  const wanted = (name: string) => rule.names.length === 0 || rule.names.includes(name)
  const sources = evidence.sources.filter(({ name }) => wanted(name))
  const sinks = evidence.sinks.filter(({ name }) => wanted(name))
  switch (rule.signal) {
    case 'lag':
      return sources.map((one) => signal({ source: one.name }, totalLag(one), ' records'))
    case 'watermark-age':
      return sources.map((one) => signal({ source: one.name }, watermarkAge(one, evidence), ' s'))
    case 'source-rate':
      return sources.map(({ name }) => {
        const delta = samples.source(name, rule.overMs)
        const rate = delta === undefined ? undefined : (delta.records * 1000) / delta.ms
        return signal({ source: name }, rate, ' records/s')
      })
    case 'unreachable':
      return sources.map(({ name, partitions }) => {
        const troubled = partitions.filter(({ trouble }) => trouble !== undefined)
        const [first] = troubled
        const detail = first === undefined ? '' : `partition ${first.name}: ${first.trouble}`
        return signal({ source: name }, troubled.length, ' partitions', detail)
      })
    case 'sink-failing':
      return sinks.map(({ name, lastError, untried = false }) => {
        const value = lastError !== undefined ? 1 : untried ? undefined : 0
        return signal({ sink: name }, value, '', lastError ?? '')
      })
    case 'oldest-unwritten':
      return sinks.map(({ name, oldestWaitingMs = 0, lastError = '' }) =>
        signal({ sink: name }, oldestWaitingMs / 1000, ' s', lastError),
      )
    case 'dead-letter-rate':
      return sources.map(({ name }) => {
        const delta = samples.source(name, rule.overMs)
        return signal({ source: name }, shareOf(delta?.dead, delta?.records), '')
      })
    case 'late-rate':
    case 'late-events':
      return [...evidence.late.keys()].filter(wanted).map((metric) => {
        const late = samples.late(metric, rule.overMs)?.records
        const source = sourceOf(metric)
        if (rule.signal === 'late-events') return signal({ metric, source }, late, ' events')
        const records = samples.source(source, rule.overMs)?.records
        return signal({ metric, source }, shareOf(late, records), '')
      })
    case 'checkpoint-age':
      return [signal({}, evidence.checkpointAgeMs / 1000, ' s')]
  }
}

const signal = (tags: Tags, value: number | undefined, unit: string, detail = ''): Signal => ({
  tags,
  value,
  unit,
  detail,
})

/** A silent source has nothing that could be old. */
function watermarkAge(source: SourceEvidence, { now }: JobEvidence): number | undefined {
  if (source.ended || isSilent(source)) return 0
  const { watermark } = source
  if (watermark === undefined || watermark === Number.NEGATIVE_INFINITY) return undefined
  return Math.max(0, now - watermark) / 1000
}

function shareOf(part: number | undefined, whole: number | undefined): number | undefined {
  if (part === undefined || whole === undefined) return undefined
  return whole <= 0 ? (part > 0 ? 1 : undefined) : part / whole
}

/** Flags need no bounds: anything above 0 is bad. */
export function judgeSignal(
  rule: PipelineRule,
  one: Signal,
  firing: SeverityName | undefined,
): Judgement {
  const { value, unit, detail } = one
  if (value === undefined) return insufficient(`${rule.signal} is not known`)
  const { settings } = rule
  const implied = settings.warn === undefined && settings.crit === undefined
  const none = { min: undefined, max: 0 }
  const effective = implied ? { ...settings, crit: none } : settings
  const cause = rule.signal === 'sink-failing' ? 'SINK_FAILING' : 'PIPELINE'
  const more = detail === '' ? '' : `: ${detail}`
  const judged = judgeBounds(effective, cause, value, value, firing, (broken) => {
    const [side, bound] = broken.split(':')
    const limit = bound === undefined || implied ? '' : ` ${side === 'min' ? '<' : '>'} ${bound}`
    return `${rule.signal} ${shown(value)}${unit}${limit}${more}`
  })
  return judged.kind === 'bad' && implied ? { ...judged, severity: settings.severity } : judged
}
