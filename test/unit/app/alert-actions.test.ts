import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AlertEngine } from '../../../src/alert/alert-engine.ts'
import { EngineActions } from '../../../src/app/alert-actions.ts'
import { durationMs, epochMs } from '../../../src/core/time.ts'
import { configOf, configText } from '../../support/config-text.ts'

const hour = 3_600_000
const at = epochMs(Date.UTC(2026, 10, 20, 7))

const request = (hours: number) => ({
  action: 'silence' as const,
  labels: { rule: 'login-zero', product: 'loan' },
  forMs: durationMs(hours * hour),
  notification: 'n-1',
  expiresAt: epochMs(at + 24 * hour),
  who: 'Li Wei',
  reason: 'planned move',
  at,
})

test('a link silences by its labels, and the later button of a card replaces the earlier one', () => {
  const engine = new AlertEngine(configOf(configText()).alerts, [])
  const actions = new EngineActions(() => engine)
  assert.deepEqual(actions.silence(request(1)), { done: 'Silenced for 1h.' })
  assert.deepEqual(actions.silence(request(8)), { done: 'Silenced for 8h.' })
  const [silence, ...others] = engine.silences.list(at)
  assert.deepEqual(others, [])
  assert.equal(silence?.until, at + 8 * hour)
  assert.equal(silence.owner, 'Li Wei')
  const labels = { rule: 'login-zero', product: 'loan', team: 'growth' }
  assert.ok(engine.silences.silencing(labels, at))
  assert.equal(engine.silences.silencing({ ...labels, product: 'pay' }, at), undefined)
})

test('a silence that the alerts refuse, and an acknowledgement of nothing, are said', () => {
  const engine = new AlertEngine(configOf(configText()).alerts, [])
  const actions = new EngineActions(() => engine)
  assert.deepEqual(actions.silence({ ...request(1), labels: {} }), {
    problem: 'a silence names at least one label',
  })
  assert.deepEqual(actions.acknowledge({ ...request(0), action: 'acknowledge' }), {
    problem: 'None of these alerts fires any more.',
  })
})
