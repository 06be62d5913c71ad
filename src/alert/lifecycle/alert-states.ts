import type { StateOperation, StateStore } from '../../core/state-store.ts'
import type { EpochMs } from '../../core/time.ts'
import type { Tags } from '../history/series-names.ts'
import type { AlertCause } from '../notification.ts'
import { decode, put, shortHash } from '../state-json.ts'
import { type Alert, newAlert } from './alert.ts'

/** A rule that could not judge a window although it was due. */
export interface HeldRule {
  readonly incident: string
  cause: AlertCause
  reason: string
  /** When the window was due that it was held by first. */
  readonly since: EpochMs
  /** When the window is due that it is held by now. */
  due: EpochMs
  windowStart: EpochMs
  windowEnd: EpochMs
  /** As for an alert: who was told that it cannot judge. */
  told: Alert['told']
}

/** What is remembered of a rule as a whole. */
export interface RuleState {
  /** End of the last window that it judged or passed over. */
  frontier: EpochMs | undefined
  held: HeldRule | undefined
}

const alertPrefix = 'alert/alert/'
const rulePrefix = 'alert/rule/'

/** Alerts and rules by name, and which of them the state does not hold yet. */
export class AlertStates {
  readonly #alerts = new Map<string, Map<string, Alert>>()
  readonly #rules = new Map<string, RuleState>()
  readonly #changed = new Set<Alert>()
  readonly #changedRules = new Set<string>()
  readonly #removed: string[] = []

  restore(store: StateStore): void {
    for (const [, value] of store.range(alertPrefix, `${alertPrefix}~`)) {
      const saved = decode<Alert>(value)
      this.#of(saved.rule).set(saved.key, {
        ...newAlert(saved.rule, saved.key, saved.tags),
        ...saved,
      })
    }
    for (const [key, value] of store.range(rulePrefix, `${rulePrefix}~`)) {
      const saved = decode<Partial<RuleState>>(value)
      const state = { frontier: saved.frontier, held: saved.held }
      this.#rules.set(key.slice(rulePrefix.length), state)
    }
  }

  rule(name: string): RuleState {
    let state = this.#rules.get(name)
    if (state === undefined) {
      state = { frontier: undefined, held: undefined }
      this.#rules.set(name, state)
    }
    return state
  }

  get ruleNames(): readonly string[] {
    return [...new Set([...this.#rules.keys(), ...this.#alerts.keys()])]
  }

  alert(rule: string, key: string): Alert | undefined {
    return this.#alerts.get(rule)?.get(key)
  }

  /** The alert, made when there is none. */
  obtain(rule: string, key: string, tags: Tags): Alert {
    const known = this.alert(rule, key)
    if (known !== undefined) return known
    const alert = newAlert(rule, key, tags)
    this.#of(rule).set(key, alert)
    return alert
  }

  /** All that are remembered of a rule, inactive ones too. */
  of(rule: string): Iterable<Alert> {
    return this.#alerts.get(rule)?.values() ?? []
  }

  *all(): Iterable<Alert> {
    for (const alerts of this.#alerts.values()) yield* alerts.values()
  }

  isFiring(rule: string): boolean {
    for (const alert of this.of(rule)) if (alert.state === 'firing') return true
    return false
  }

  changed(alert: Alert): void {
    this.#changed.add(alert)
  }

  ruleChanged(name: string): void {
    this.#changedRules.add(name)
  }

  /** Forgets a rule with all its alerts. */
  drop(rule: string): void {
    for (const alert of this.of(rule)) {
      this.#changed.delete(alert)
      this.#removed.push(keyOf(alert))
    }
    this.#alerts.delete(rule)
    this.#rules.delete(rule)
    this.#changedRules.delete(rule)
    this.#removed.push(rulePrefix + rule)
  }

  takeChanges(): StateOperation[] {
    const operations: StateOperation[] = []
    for (const key of this.#removed.splice(0)) operations.push({ kind: 'remove', key })
    for (const alert of this.#changed) {
      // An alert that never was bad leaves nothing behind.
      if (alert.state === 'inactive' && alert.episodes.length === 0) {
        this.#of(alert.rule).delete(alert.key)
        operations.push({ kind: 'remove', key: keyOf(alert) })
      } else operations.push(put(keyOf(alert), alert))
    }
    this.#changed.clear()
    for (const name of this.#changedRules) operations.push(put(rulePrefix + name, this.rule(name)))
    this.#changedRules.clear()
    return operations
  }

  #of(rule: string): Map<string, Alert> {
    let alerts = this.#alerts.get(rule)
    if (alerts === undefined) {
      alerts = new Map()
      this.#alerts.set(rule, alerts)
    }
    return alerts
  }
}

const keyOf = (alert: Alert): string => `${alertPrefix}${alert.rule}/${shortHash(alert.key)}`
