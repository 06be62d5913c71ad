import { createHash } from 'node:crypto'
import type { AlertEngine } from '../alert/alert-engine.ts'
import type { ActionRequest, AlertActions } from '../alert/notify/links/alert-actions.ts'
import { matches } from '../alert/routing/matchers.ts'
import type { Matchers } from '../core/alert-plan.ts'
import { epochMs, formatDuration } from '../core/time.ts'

/** What the links of messages do to the alerts of a job. What they change is in the next checkpoint. */
export class EngineActions implements AlertActions {
  readonly #engine: () => AlertEngine

  /** @param engine that of the present life of the pipeline */
  constructor(engine: () => AlertEngine) {
    this.#engine = engine
  }

  preview(labels: Readonly<Record<string, string>>): readonly string[] {
    return this.#engine()
      .preview(matchersOf(labels))
      .map((one) =>
        Object.entries(one)
          .map(([name, value]) => `${name}=${value}`)
          .join(' '),
      )
  }

  silence(request: ActionRequest): { readonly done: string } | { readonly problem: string } {
    const { labels, forMs, who, reason, at, notification } = request
    const until = epochMs(at + forMs)
    try {
      this.#engine().silences.add({
        id: silenceId(notification, labels),
        match: matchersOf(labels),
        owner: who,
        reason,
        from: at,
        until,
      })
    } catch (cause) {
      return { problem: cause instanceof Error ? cause.message : String(cause) }
    }
    return { done: `Silenced for ${formatDuration(forMs)}.` }
  }

  acknowledge(request: ActionRequest): { readonly done: string } | { readonly problem: string } {
    const { labels, who, reason, at } = request
    const engine = this.#engine()
    const match = matchersOf(labels)
    const incidents = new Set<string>()
    for (const alert of engine.states.all()) {
      if (alert.state !== 'firing' || !matches(match, engine.labels(alert))) continue
      incidents.add(alert.incident)
    }
    let count = 0
    for (const one of incidents) count += engine.acknowledge(one, who, reason, at)
    return count === 0
      ? { problem: 'None of these alerts fires any more.' }
      : { done: `Acknowledged: ${count}.` }
  }
}

/** The label as it is: a value that begins with ! would mean the reverse, and is left out. */
function matchersOf(labels: Readonly<Record<string, string>>): Matchers {
  return Object.entries(labels)
    .filter(([, value]) => !value.startsWith('!'))
    .map(([label, value]) => ({ label, patterns: [value] }))
}

function silenceId(notification: string, labels: Readonly<Record<string, string>>): string {
  const text = JSON.stringify([notification, labels])
  return `link-${createHash('sha256').update(text).digest('hex').slice(0, 16)}`
}
