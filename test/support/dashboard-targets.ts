import { readFileSync } from 'node:fs'
import type { Dashboard, Target } from '../../src/dashboards/grafana.ts'

export interface PlacedTarget {
  readonly panel: string
  readonly target: Target
  /** Step that the panel asks for; undefined: any. */
  readonly interval: string | undefined
}

/** Every target of every panel of a dashboard file. */
export function targetsOf(file: string): PlacedTarget[] {
  const dashboard = JSON.parse(readFileSync(file, 'utf8')) as Dashboard
  return dashboard.panels.flatMap(({ title, targets = [], interval }) =>
    targets.map((target) => ({
      panel: title,
      target,
      interval: typeof interval === 'string' ? interval : undefined,
    })),
  )
}

/** An expression as Grafana sends it: variables put in. */
export function withVariables(expr: string): string {
  return expr.replaceAll('$job', '.+').replaceAll('$__rate_interval', '1m')
}
