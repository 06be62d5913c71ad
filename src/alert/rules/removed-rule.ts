import type { RulePlan } from '../../core/alert-plan.ts'
import { durationMs } from '../../core/time.ts'

/** Stands for a rule that is no longer in the config. */
export function removedRule(name: string): RulePlan {
  return {
    kind: 'composite',
    condition: { kind: 'or', of: [] },
    on: [],
    name,
    team: undefined,
    labels: {},
    annotations: {},
    settings: {
      enabled: true,
      severity: 'info',
      warn: undefined,
      crit: undefined,
      clear: undefined,
      forMs: durationMs(0),
      forWindows: 1,
      keepFiringMs: durationMs(0),
      keepFiringWindows: 1,
      minVolume: 0,
      floor: 0,
    },
    overrides: [],
    maxWaitMs: durationMs(0),
    dependsOn: [],
    mute: [],
    active: [],
  }
}
