import { statSync } from 'node:fs'
import type { Config } from '../config/config.ts'
import { loadConfig } from '../config/file-config.ts'
import type { Environment } from '../config/read/interpolate.ts'
import type { AlertPlan } from '../core/alert-plan.ts'
import { asWardenError } from '../core/errors.ts'
import type { Telemetry } from '../core/telemetry.ts'

const lookEveryMs = 2_000

/**
 * Looks at the config and its alert file, and hands over the rules when one of them changed and nothing is wrong. A file that is wrong, or gone for
 * a moment as editors do it, leaves the rules as they are. Of a changed config only the alerts take effect before a restart.
 * @returns ends it
 */
export function watchAlertFile(
  config: Config,
  env: Environment,
  telemetry: Telemetry,
  onChange: (plan: AlertPlan) => void,
): () => void {
  const { clock, logger } = telemetry
  const files = [config.file, ...(config.alertFile === undefined ? [] : [config.alertFile])]
  let seen = stampOf(files)
  let rules = JSON.stringify(config.alerts, plain)
  let cancel = () => {}
  const look = () => {
    const stamp = stampOf(files)
    if (stamp !== undefined && stamp !== seen) {
      seen = stamp
      try {
        const { alerts } = loadConfig(config.file, env)
        const text = JSON.stringify(alerts, plain)
        if (text !== rules) {
          rules = text
          onChange(alerts)
          logger.info({ files, rules: alerts.rules.length }, 'the rules changed')
        }
      } catch (cause) {
        const { message } = asWardenError(cause)
        logger.error({ files, reason: message }, 'the rules stay as they were')
      }
    }
    cancel = clock.after(lookEveryMs, look)
  }
  cancel = clock.after(lookEveryMs, look)
  return () => cancel()
}

/** Maps and sets as JSON has them not. */
const plain = (_: string, value: unknown): unknown =>
  value instanceof Map || value instanceof Set ? [...value] : value

/** undefined: a file is not there. */
function stampOf(files: readonly string[]): string | undefined {
  try {
    return files
      .map((file) => {
        const { mtimeMs, size, ino } = statSync(file)
        return `${mtimeMs} ${size} ${ino}`
      })
      .join(', ')
  } catch {
    return undefined
  }
}
