import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { prometheusPrograms } from '../support/prometheus-service.ts'

describe('deploy/prometheus, by the real promtool', () => {
  let directory: string
  let promtool: string
  const run = (...args: string[]): { status: number | null; output: string } => {
    const { status, stdout, stderr } = spawnSync(promtool, args, {
      cwd: directory,
      encoding: 'utf8',
    })
    return { status, output: `${stdout}${stderr}` }
  }
  const rules = (): string => readFileSync(join(directory, 'warden.rules.yml'), 'utf8')

  before(async () => {
    promtool = (await prometheusPrograms()).promtool
    directory = mkdtempSync(join(tmpdir(), 'warden-promtool-'))
    cpSync('deploy/prometheus', directory, { recursive: true })
  })
  after(() => rmSync(directory, { recursive: true, force: true }))

  it('the scrape config is one', () => {
    const { status, output } = run('check', 'config', '--syntax-only', 'prometheus.yml')
    assert.equal(status, 0, output)
  })

  it('the alerting rules are rules', () => {
    const { status, output } = run('check', 'rules', 'warden.rules.yml')
    assert.equal(status, 0, output)
  })

  it('each alert fires in its trouble and is quiet without', () => {
    const { status, output } = run('test', 'rules', 'warden.rules.test.yml')
    assert.equal(status, 0, output)
  })

  it('the tests of the rules name every alert, and notice one that never fires', () => {
    const tests = readFileSync(join(directory, 'warden.rules.test.yml'), 'utf8')
    const text = rules()
    const names = [...text.matchAll(/alert: (\w+)/g)].map(([, name = '']) => name)
    assert.ok(names.length >= 15)
    for (const name of names) assert.ok(tests.includes(name), name)
    writeFileSync(join(directory, 'warden.rules.yml'), text.replace('> 300', '> 300000'))
    assert.notEqual(run('test', 'rules', 'warden.rules.test.yml').status, 0)
    writeFileSync(join(directory, 'warden.rules.yml'), text)
  })
})
