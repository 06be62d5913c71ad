import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Config } from '../config/config.ts'
import { planOf } from '../config/plan.ts'
import { businessDashboard } from '../dashboards/business.ts'
import type { Dashboard } from '../dashboards/grafana.ts'
import { dashboardProvider, dataSources } from '../dashboards/provisioning.ts'
import { trustDashboard } from '../dashboards/trust.ts'
import { encodeName } from '../sink/point-names.ts'

/**
 * Writes what Grafana needs to show the metrics of a config, in the layout of its provisioning.
 * @param config undefined: only what is the same for every config
 * @returns the files that were written
 */
export function writeDashboards(directory: string, config: Config | undefined): string[] {
  const json = (one: Dashboard): string => `${JSON.stringify(one, undefined, 2)}\n`
  const files = new Map([
    ['provisioning/datasources/warden.yaml', dataSources],
    ['provisioning/dashboards/warden.yaml', dashboardProvider],
    ['dashboards/trust.json', json(trustDashboard())],
  ])
  if (config !== undefined) files.set('dashboards/business.json', json(businessOf(config)))
  return Array.from(files, ([name, text]) => {
    const path = join(directory, name)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, text)
    return path
  })
}

function businessOf(config: Config): Dashboard {
  const store = config.sinks.find(({ type }) => type === 'embedded' || type === 'opentsdb')
  const prefix = store?.prefix ?? ''
  return businessDashboard({
    job: config.job,
    metrics: planOf(config).metrics,
    nameOf: (metric, aggregate) => encodeName(`${prefix}${metric}.${aggregate}`),
    tagOf: encodeName,
  })
}
