import type { RuleSettings } from './alert-plan.ts'
import { durationMs } from './time.ts'

/** What a rule does where it says nothing else: critical at the first bad window, over with the first good one. */
export const usualSettings: RuleSettings = {
  enabled: true,
  severity: 'crit',
  warn: undefined,
  crit: undefined,
  clear: undefined,
  forMs: durationMs(0),
  forWindows: 1,
  keepFiringMs: durationMs(0),
  keepFiringWindows: 1,
  minVolume: 0,
  floor: 0,
}
