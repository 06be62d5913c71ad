import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { KubernetesLease } from '../../../src/lease/kubernetes-lease.ts'
import { SystemClock } from '../../../src/system-clock.ts'
import { FakeKubernetes } from '../../support/fake-kubernetes.ts'
import { RecordingLogger } from '../../support/recording-logger.ts'
import { RecordingMetrics } from '../../support/recording-metrics.ts'
import { until } from '../../support/until.ts'

const telemetry = {
  clock: new SystemClock(),
  logger: new RecordingLogger(),
  metrics: new RecordingMetrics(),
}
const forever = new AbortController().signal
const account = mkdtempSync(join(tmpdir(), 'warden-account-'))
const api = new FakeKubernetes()
let url = ''
let names = 0

before(async () => {
  writeFileSync(join(account, 'token'), 'good\n')
  writeFileSync(join(account, 'namespace'), 'shop\n')
  url = await api.listen()
})
after(async () => {
  await api.close()
  rmSync(account, { recursive: true })
})

const leaseOf = (name: string, holder: string, durationMs = 1000) =>
  new KubernetesLease({ name, holder, durationMs, url, account }, telemetry, () => 0)

const freshName = () => `job-${names++}`

describe('a lease in Kubernetes', () => {
  test('is held by one; given back, the next one has it, with a larger token', async () => {
    const name = freshName()
    const [first, second] = [leaseOf(name, 'one'), leaseOf(name, 'two')]
    const held = await first.acquire(forever)
    const waiting = second.acquire(forever)
    await until('the second sees who holds it', () => second.holder() === 'one')
    assert.ok(held.held())
    await first.close()
    assert.ok(!held.held())
    const next = await waiting
    assert.ok(next.held() && next.token > held.token)
    assert.equal(api.leases.get(`shop/${name}`)?.spec.holderIdentity, 'two')
    await second.close()
  })

  test('is renewed while it is held, over answers that are lost', async () => {
    // Without renewals it ends after 2.7 s; a busy machine may hold one up for 2 s.
    const lease = leaseOf(freshName(), 'one', 4000)
    const held = await lease.acquire(forever)
    const end = performance.now() + 3000
    while (performance.now() < end) {
      api.loseAnswer = true
      await new Promise((resolve) => setTimeout(resolve, 300))
      assert.ok(held.held())
    }
    api.loseAnswer = false
    await lease.close()
  })

  test('a holder that the server does not answer stops before another takes it over', async () => {
    const name = freshName()
    const [first, second] = [leaseOf(name, 'one'), leaseOf(name, 'two')]
    const held = await first.acquire(forever)
    api.trouble = 'hang'
    await until('the first stops by itself', () => !held.held(), 5_000, 10)
    api.trouble = undefined
    const next = await second.acquire(forever)
    assert.ok(next.held() && !held.held())
    await first.close()
    assert.ok(next.held(), 'what the old holder gives back is not its own any more')
    await second.close()
  })

  test('taken by somebody else it is lost at the next renewal', async () => {
    const name = freshName()
    const lease = leaseOf(name, 'one')
    const held = await lease.acquire(forever)
    const stored = api.leases.get(`shop/${name}`)
    assert.ok(stored !== undefined)
    stored.metadata.resourceVersion = 'other'
    stored.spec.holderIdentity = 'a person'
    await until('the holder notices', () => held.lost.aborted, 2_000, 10)
    assert.match(String(held.lost.reason), /a person holds the lease now/)
    await lease.close()
  })

  test('no right to it is an error that stops and says what is needed; a 500 is tried again', async () => {
    const lease = leaseOf(freshName(), 'one')
    api.trouble = 403
    await assert.rejects(lease.acquire(forever), {
      code: 'lease_refused',
      message: /get, create and update on leases/,
    })
    api.trouble = 500
    const waiting = lease.acquire(forever)
    await new Promise((resolve) => setTimeout(resolve, 20))
    api.trouble = undefined
    assert.ok((await waiting).held())
    await lease.close()
  })

  test('outside of a pod the error says where the account was looked for', async () => {
    const lease = new KubernetesLease(
      { name: 'x', holder: 'one', durationMs: 1000, namespace: 'shop', url, account: '/nowhere' },
      telemetry,
      () => 0,
    )
    await assert.rejects(lease.acquire(forever), { code: 'lease_refused', message: /nowhere/ })
  })
})
