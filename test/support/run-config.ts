import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { runJob } from '../../src/app/run-job.ts'
import type { JobOptions } from '../../src/app/running-job.ts'
import type { Config } from '../../src/config/config.ts'
import { parseConfig } from '../../src/config/load.ts'
import { PrometheusMetrics } from '../../src/prometheus-metrics.ts'
import { SystemClock } from '../../src/system-clock.ts'
import { RecordingLogger } from './recording-logger.ts'

export interface RunConfigOptions
  extends Partial<Pick<JobOptions, 'dropMetrics' | 'onPanes' | 'onListening'>> {
  readonly stop?: AbortSignal
  readonly logger?: RecordingLogger
  readonly metrics?: PrometheusMetrics
}

/** The config that a text in `directory` means; the server takes any free port. */
export function readConfig(directory: string, text: string): Config {
  return parseConfig(`${text}\nserver: { listen: '127.0.0.1:0' }\n`, {
    file: join(directory, 'warden.yaml'),
    directory,
    env: {},
    readFile: (path) => readFileSync(path, 'utf8'),
  })
}

/** Runs a job in this process, as `warden run` does, and says how it ended. */
export async function runConfig(
  directory: string,
  text: string,
  options: RunConfigOptions = {},
): Promise<'ended' | 'stopped'> {
  const { stop = new AbortController().signal, dropMetrics = new Set(), ...rest } = options
  const logger = options.logger ?? new RecordingLogger()
  const metrics = options.metrics ?? new PrometheusMetrics({ processMetrics: false })
  return await runJob(
    {
      ...rest,
      config: readConfig(directory, text),
      version: 'test',
      dropMetrics,
      telemetry: { clock: new SystemClock(), logger, metrics },
    },
    stop,
  )
}
