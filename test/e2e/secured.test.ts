import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { after, before, type TestContext, test } from 'node:test'
import type { KafkaCluster, SaslAddress } from '../support/kafka-cluster.ts'
import { type Shared, sharedKafka } from '../support/shared-services.ts'
import { WardenHome } from '../support/warden-process.ts'
import { countTopic } from './brute-force.ts'
import { assertEveryRecordOnce, assertSamePoints, expectedPoints } from './compare-points.ts'
import { closingEvents, defaultSpec, type EventSpec, eventStream } from './event-stream.ts'
import { figuresOf, lendingConfig, lendingJobMapping, untilCommitted } from './lending-job.ts'
import { produceEvents } from './make-events.ts'
import { readPointFile } from './read-point-file.ts'

const hourMs = 3_600_000
const spec: EventSpec = { ...defaultSpec, seed: 3, count: 20_000, users: 4_000 }
const wrongPassword = 'not-the-password-8c1f'

let kafka: Shared<KafkaCluster>
let sasl: SaslAddress
let topic: string
let produced: number

before(async () => {
  kafka = await sharedKafka()
  const address = kafka.service.address.sasl
  assert.ok(address !== undefined, 'the Kafka of the run has no SASL listener')
  sasl = address
  topic = `secured-${randomBytes(3).toString('hex')}`
  await kafka.service.createTopic(topic, spec.partitions)
  const { bootstrap } = kafka.service
  produced =
    (await produceEvents(eventStream(spec), { bootstrap, topic })) +
    (await produceEvents(closingEvents(spec, hourMs), { bootstrap, topic }))
})
after(async () => {
  await kafka?.release()
})

type Mechanism = 'plain' | 'scram-sha-256' | 'scram-sha-512'

/** The job over TLS and SASL; the password comes from the environment, the authority from a file. */
function securedConfig(mechanism: Mechanism, group: string) {
  const config = lendingConfig({
    bootstrap: sasl.bootstrap,
    topic,
    group,
    sinks: { points: { type: 'file', path: './points.jsonl', prefix: 'secured.' } },
  })
  const security = {
    tls: { ca: { file: './ca.pem' } },
    sasl: { mechanism, username: sasl.username, password: '${KAFKA_PASSWORD}' },
  }
  return { ...config, sources: { orders: { ...config.sources.orders, ...security } } }
}

function homeOf(t: TestContext, config: object, password: string): WardenHome {
  const home = new WardenHome(config, { KAFKA_PASSWORD: password })
  writeFileSync(home.path('ca.pem'), sasl.caPem, { mode: 0o600 })
  t.after(() => home.remove())
  return home
}

for (const mechanism of ['scram-sha-512', 'plain'] as const) {
  test(`a topic behind TLS and ${mechanism} is counted right, and the password is nowhere to be read`, async (t) => {
    const group = `${topic}-${mechanism}`
    const home = homeOf(t, securedConfig(mechanism, group), sasl.password)
    const explained = await home.command('explain')
    assert.equal(explained.code, 0, explained.output)
    const checked = await home.command('check')
    assert.equal(checked.code, 0, checked.output)

    const warden = home.run()
    t.after(() => warden.kill())
    await untilCommitted(kafka.service.address, topic, group)
    const figures = await figuresOf(warden, produced)
    await warden.stop()
    const expected = await countTopic(kafka.service.bootstrap, topic, lendingJobMapping)
    assertSamePoints(readPointFile(home.path('points.jsonl')), expectedPoints(expected, 'secured.'))
    assertEveryRecordOnce(home, figures, expected)
    for (const { output } of [explained, checked, warden])
      assert.ok(!output.includes(sasl.password))
  })

  test(`a wrong password for ${mechanism} ends Warden with exit code 1, the user and the mechanism, but not the password`, async (t) => {
    const home = homeOf(t, securedConfig(mechanism, `${topic}-refused`), wrongPassword)
    const warden = home.run()
    t.after(() => warden.kill())
    const { code } = await warden.exited
    assert.equal(code, 1, warden.output)
    const said = warden.output.split('\n').filter((line) => line !== '' && !line.startsWith('{'))
    assert.match(
      said.join('\n'),
      new RegExp(`user ${sasl.username} is refused with ${mechanism}: `, 'i'),
    )
    assert.ok(!warden.output.includes(wrongPassword))
  })
}

test('a broker whose certificate is of another authority ends Warden with exit code 1 and says so', async (t) => {
  const home = homeOf(t, securedConfig('scram-sha-512', `${topic}-untrusted`), sasl.password)
  writeFileSync(home.path('ca.pem'), otherAuthority)
  const warden = home.run()
  t.after(() => warden.kill())
  const { code } = await warden.exited
  assert.equal(code, 1, warden.output)
  assert.match(warden.output, /TLS certificate is not trusted/)
  assert.ok(!warden.output.includes(sasl.password))
})

test('the name that a certificate must carry can be said', async (t) => {
  const named = async (servername: string, group: string) => {
    const config = securedConfig('plain', group)
    const { tls, ...orders } = config.sources.orders
    const withName = { ...orders, tls: { ...tls, servername } }
    const home = homeOf(t, { ...config, sources: { orders: withName } }, sasl.password)
    const warden = home.run()
    t.after(() => warden.kill())
    return warden
  }
  // Brokers are asked for by their IP address here; their certificate carries localhost too.
  const group = `${topic}-named`
  const right = await named('localhost', group)
  await untilCommitted(kafka.service.address, topic, group)
  await right.stop()
  const wrong = await named('kafka.example', `${topic}-misnamed`)
  const { code } = await wrong.exited
  assert.equal(code, 1, wrong.output)
  assert.match(wrong.output, /TLS certificate is not trusted: .*kafka\.example/)
})

/** Nobody has its key any more; valid for a hundred years. */
const otherAuthority = `-----BEGIN CERTIFICATE-----
MIIBjjCCATWgAwIBAgIUGji1pS9+YwugekQcuREVoozy3wUwCgYIKoZIzj0EAwIw
HDEaMBgGA1UEAwwRYW5vdGhlciBhdXRob3JpdHkwIBcNMjYxMTIxMTEwNjU3WhgP
MjEyNjEwMjgxMTA2NTdaMBwxGjAYBgNVBAMMEWFub3RoZXIgYXV0aG9yaXR5MFkw
EwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEzqp3kJPwEbQEx216a/p6NbAoWChCTcGi
N38VCbuzyynLl4tdSwWyKcPmiX45PfQvf7+abo8dHUZWCxNHCdg446NTMFEwHQYD
VR0OBBYEFDzS+Gl/5raEL5Hv1huwGOYktzYkMB8GA1UdIwQYMBaAFDzS+Gl/5raE
L5Hv1huwGOYktzYkMA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZIzj0EAwIDRwAwRAIg
TNCUmPxsG/5DhAVbmFDCmM9NLTL5gC8T6UHldz/ajuYCIAhw3ul/hAIsyu+hiPnU
cJd9RUUKOIluRJPwffARr+rN
-----END CERTIFICATE-----
`
