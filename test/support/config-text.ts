import type { Config } from '../../src/config/config.ts'
import { parseConfig } from '../../src/config/load.ts'
import { planOf } from '../../src/config/plan.ts'
import type { JobPlan } from '../../src/core/plan.ts'

/** A config of one Kafka source and one metric, in YAML; the parameters stand in for its lines. */
export function configText(
  parts: { readonly source?: string; readonly metric?: string; readonly rest?: string } = {},
): string {
  return `job: lending
sources:
  orders:
    type: kafka
    brokers: ['127.0.0.1:9092']
    topics: [loan-events]
${parts.source ?? '    event: { time: eventTime, user: userId, outcome: status }'}
metrics:
  loan:
${parts.metric ?? '    window: { size: 1h }'}
${parts.rest ?? ''}
`
}

/** Reads the text of a config that lies at /etc/warden/job.yaml and may read the given files. */
export function configOf(
  text: string,
  env: Readonly<Record<string, string>> = {},
  files: Readonly<Record<string, string>> = {},
): Config {
  return parseConfig(text, {
    file: '/etc/warden/job.yaml',
    env,
    readFile: (path) => {
      const content = files[path]
      if (content === undefined) throw new Error(`no file ${path}`)
      return content
    },
  })
}

/** The plan of a config of one source and one metric. */
export const planOfText = (parts: Parameters<typeof configText>[0]): JobPlan =>
  planOf(configOf(configText(parts)))
