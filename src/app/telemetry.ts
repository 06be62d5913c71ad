import type { Config } from '../config/config.ts'
import { createPinoLogger } from '../pino-logger.ts'
import { PrometheusMetrics } from '../prometheus-metrics.ts'
import { SystemClock } from '../system-clock.ts'

/** The clock, the log and the metrics of a real process. */
export function createTelemetry(config: Pick<Config, 'log'>) {
  return {
    clock: new SystemClock(),
    logger: createPinoLogger({ level: config.log.level, format: 'auto' }),
    metrics: new PrometheusMetrics(),
  }
}
