import type { MetricPlan } from '../core/plan.ts'

/** Grafana's *Rename fields by regex*, as a panel has it. */
export interface RenameByRegex {
  readonly id: 'renameByRegex'
  readonly options: { readonly regex: string; readonly renamePattern: string }
}

/**
 * What makes a chart show values of dimensions as they were before they were escaped for the store. Only those that the config names:
 * declared series, and outcomes where these are tags.
 * @param encode the store's name of a text
 */
export function readableNames(
  metric: MetricPlan,
  encode: (text: string) => string,
): RenameByRegex[] {
  const texts = new Set([
    ...metric.declaredSeries.flat(),
    ...(metric.splitByOutcome ? metric.outcomes : []),
  ])
  const renamed = [...texts].filter((text) => encode(text) !== text)
  // The longest first: a name may be a part of another.
  renamed.sort((left, right) => encode(right).length - encode(left).length)
  return renamed.map((text) => ({
    id: 'renameByRegex',
    options: {
      // Between slashes it may match a part of the legend; without, Grafana wants the whole.
      regex: `/${encode(text).replaceAll('.', '\\.')}/g`,
      renamePattern: text.replaceAll('$', '$$$$'),
    },
  }))
}
