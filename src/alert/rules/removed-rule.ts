import type { RulePlan } from '../../core/alert-plan.ts'
import { usualSettings } from '../../core/rule-settings.ts'
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
    settings: { ...usualSettings, severity: 'info' },
    overrides: [],
    maxWaitMs: durationMs(0),
    dependsOn: [],
    mute: [],
    active: [],
  }
}
