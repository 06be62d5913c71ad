import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { writeDashboards } from '../../../src/app/write-dashboards.ts'
import { parseConfig } from '../../../src/config/load.ts'
import { planOf } from '../../../src/config/plan.ts'
import { businessDashboard } from '../../../src/dashboards/business.ts'
import type { Dashboard, Target } from '../../../src/dashboards/grafana.ts'
import type { RenameByRegex } from '../../../src/dashboards/readable-names.ts'
import { encodeName } from '../../../src/sink/point-names.ts'
import { targetsOf } from '../../support/dashboard-targets.ts'

/** `UPDATE=1` writes deploy/grafana instead of comparing it. */
const update = process.env.UPDATE === '1'

const read = (file: string) =>
  parseConfig(readFileSync(file, 'utf8'), {
    file,
    directory: '/tmp',
    env: { KAFKA_BROKERS: 'kafka:9092' },
    readFile: () => 'a token',
  })

function written(file: string): { files: Map<string, string>; dashboards: Dashboard[] } {
  const directory = mkdtempSync(join(tmpdir(), 'warden-dashboards-'))
  try {
    writeDashboards(directory, read(file))
    const files = textsOf(directory)
    const dashboards = [...files]
      .filter(([name]) => name.endsWith('.json'))
      .map(([, text]) => JSON.parse(text) as Dashboard)
    return { files, dashboards }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

function textsOf(directory: string): Map<string, string> {
  const names = (readdirSync(directory, { recursive: true }) as string[]).sort()
  return new Map(
    names
      .filter((name) => statSync(join(directory, name)).isFile())
      .map((name) => [name, readFileSync(join(directory, name), 'utf8')]),
  )
}

const targets = (dashboards: readonly Dashboard[]): Target[] =>
  dashboards.flatMap(({ panels }) => panels.flatMap((panel) => panel.targets ?? []))

describe('the dashboards that Warden writes', () => {
  it('are those in deploy/grafana, for the config beside them', () => {
    if (update) writeDashboards('deploy/grafana', read('deploy/warden.yaml'))
    assert.deepEqual(
      textsOf('deploy/grafana'),
      written('deploy/warden.yaml').files,
      'write them anew: UPDATE=1 node --import tsx --test test/unit/dashboards/dashboards.test.ts',
    )
  })

  it('show declared values of dimensions as they are, not as stores name them', () => {
    const text = JSON.stringify({
      job: 'lending',
      sources: { orders: { type: 'file', path: 'in', event: { time: 'at', user: 'user' } } },
      metrics: {
        loan: {
          window: { size: '1h' },
          dimensions: ['product'],
          aggregates: ['count'],
          series: [
            { product: '现金贷' },
            { product: '现金' },
            { product: 'a.b $1' },
            { product: 'car' },
          ],
        },
      },
    })
    const options = { file: 'x.yaml', directory: '/tmp', env: {}, readFile: () => '' }
    const { metrics, job } = planOf(parseConfig(text, options))
    const board = businessDashboard({
      job,
      metrics,
      nameOf: (m, a) => `${m}.${a}`,
      tagOf: encodeName,
    })
    const panel = board.panels.find(({ title }) => title === 'loan by product')
    const renames = panel?.transformations as readonly RenameByRegex[]
    assert.equal(renames.length, 3)
    for (const value of ['现金贷', '现金', 'a.b $1', 'car', '消费贷']) {
      // As Grafana does it: `stringToJsRegex`, then replace.
      const shown = renames.reduce(
        (name, { options: { regex, renamePattern } }) => {
          const [, pattern = '', flags] = /^\/(.*?)\/(g?i?m?y?)$/.exec(regex) ?? []
          return name.replace(new RegExp(pattern, flags), renamePattern)
        },
        `count ${encodeName(value)}`,
      )
      assert.equal(shown, value === '消费贷' ? `count ${encodeName(value)}` : `count ${value}`)
    }
  })

  it('show every aggregate of every metric, and never make up a zero or a value', () => {
    const config = read('config/demo.yaml')
    const points = targets(written('config/demo.yaml').dashboards).flatMap((target) =>
      'metric' in target ? [target] : [],
    )
    const shown = new Set(points.map(({ metric }) => metric))
    for (const metric of config.metrics) {
      for (const { name } of metric.aggregates) {
        assert.ok(shown.has(`warden.${metric.name}.${name}`), `${metric.name}.${name}`)
      }
    }
    for (const { aggregator, downsampleFillPolicy, metric } of points) {
      assert.ok(downsampleFillPolicy === undefined || downsampleFillPolicy === 'none', metric)
      // `sum` and `avg` interpolate; rates of several series are never put together.
      const allowed = /ate$/.test(metric) ? ['none'] : ['zimsum', 'none', 'mimmin', 'mimmax']
      assert.ok(allowed.includes(aggregator), `${aggregator} of ${metric}`)
    }
  })

  it('ask Prometheus only for figures that docs/operations.md describes', () => {
    const manual = readFileSync('docs/operations.md', 'utf8')
    for (const file of ['config/demo.yaml', 'deploy/warden.yaml']) {
      const text = JSON.stringify(targets(written(file).dashboards))
      const rules = readFileSync('deploy/prometheus/warden.rules.yml', 'utf8')
      for (const [name] of `${text}${rules}`.matchAll(/warden_[a-z_]+/g)) {
        assert.ok(manual.includes(`\`${name.replace(/_bucket$/, '')}\``), name)
      }
    }
  })

  it('ask for trust without the store: no panel of trust.json reads points', () => {
    for (const { target } of targetsOf('deploy/grafana/dashboards/trust.json')) {
      assert.equal(target.datasource.type, 'prometheus')
    }
  })

  it('have panels side by side, none over another, each with an id of its own', () => {
    for (const { panels, title } of written('config/demo.yaml').dashboards) {
      const cells = new Set<string>()
      for (const { gridPos } of panels) {
        assert.ok(gridPos.x + gridPos.w <= 24, title)
        for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
          for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
            assert.ok(!cells.has(`${x},${y}`), `${title}: ${x},${y}`)
            cells.add(`${x},${y}`)
          }
        }
      }
      assert.equal(new Set(panels.map((panel) => panel.id)).size, panels.length)
    }
  })
})
