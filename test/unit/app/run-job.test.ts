import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import type { Pane } from '../../../src/core/pane.ts'
import { ask } from '../../support/http-answer.ts'
import { runConfig } from '../../support/run-config.ts'
import { until } from '../../support/until.ts'

const hour = 3_600_000
const day = Date.UTC(2026, 0, 5)
const root = mkdtempSync(join(tmpdir(), 'warden-run-job-'))
after(() => rmSync(root, { recursive: true, force: true }))

interface Login {
  readonly t: number
  readonly user: string
  readonly product: string
  readonly status: 'fail' | 'success'
}

/** Retries of 40 users over six hours, with a disorder of up to 20 s; no chance in it. */
const logins: readonly Login[] = Array.from({ length: 1_200 }, (_, index) => ({
  t: day + index * 18_000 - (index % 3) * 7_000 + 20_000,
  user: `u${(index * 7) % 40}`,
  product: `p${index % 2}`,
  status: (index * 13) % 10 < 3 ? 'success' : 'fail',
}))

const metric = `
  login:
    window: { size: 1h }
    dimensions: [product]
    outcomes: [fail, success]
    dedup: { keep: best }
    aggregates: [count, events, { rate: { success: [success] } }]`
const config = (parts: { metrics?: string; follow?: boolean } = {}) => `
job: logins
sources:
  events:
    type: file
    path: events.jsonl
    follow: ${parts.follow ?? false}
    event: { time: t, user: user, outcome: status }
metrics:${parts.metrics ?? metric}
sinks: { local: { type: embedded, prefix: '' } }
checkpoint: { interval: 100ms, minPause: 0s }
shutdown: { timeout: 5s }
`

let directories = 0
/** An empty directory with the log of `events`. */
function place(events: readonly (Login | string)[]): string {
  const directory = mkdtempSync(join(root, `${directories++}-`))
  write(directory, events)
  return directory
}

function write(directory: string, events: readonly (Login | string)[]): void {
  const lines = events.map((one) => (typeof one === 'string' ? one : JSON.stringify(one)))
  writeFileSync(join(directory, 'events.jsonl'), lines.map((line) => `${line}\n`).join(''))
}

function bruteForce(events: readonly Login[]): Map<string, number> {
  const users = new Map<string, Map<string, boolean>>()
  const counts = new Map<string, number>()
  for (const { t, user, product, status } of events) {
    const key = `${product} ${Math.floor(t / hour) * 3_600}`
    const best = users.get(key) ?? new Map<string, boolean>()
    users.set(key, best.set(user, best.get(user) === true || status === 'success'))
    counts.set(key, (counts.get(key) ?? 0) + 1)
  }
  const points = new Map<string, number>()
  for (const [key, best] of users) {
    points.set(`count ${key}`, best.size)
    points.set(`events ${key}`, counts.get(key) ?? 0)
    points.set(`rate ${key}`, [...best.values()].filter(Boolean).length / best.size)
  }
  return points
}

/** What the store of a running job answers, by aggregate, product and hour. */
async function stored(url: string, name = 'login'): Promise<Map<string, number>> {
  const points = new Map<string, number>()
  for (const aggregate of ['count', 'events', 'rate']) {
    const m = encodeURIComponent(`none:${name}.${aggregate}{product=*}`)
    const { status, body } = await ask(url, {
      path: `/api/query?start=${day / 1_000 - 3_600}&end=${day / 1_000 + 86_400}&m=${m}`,
    })
    if (status !== 200) continue
    for (const series of body as { tags: { product: string }; dps: Record<string, number> }[]) {
      for (const [at, value] of Object.entries(series.dps)) {
        points.set(`${aggregate} ${series.tags.product} ${at}`, value)
      }
    }
  }
  return points
}

const sorted = (points: Map<string, number>) => [...points].sort()

/** Runs a job that follows its file until `isThere` holds of what its store answers, and stops it. */
async function follow(
  directory: string,
  text: string,
  isThere: (points: Map<string, number>) => boolean,
): Promise<Map<string, number>> {
  const stop = new AbortController()
  let url = ''
  const running = runConfig(directory, text, {
    stop: stop.signal,
    onListening: (at) => {
      url = at
    },
  })
  let points = new Map<string, number>()
  try {
    await until('the points are in the store', async () => {
      points = url === '' ? points : await stored(url)
      return isThere(points)
    })
  } finally {
    stop.abort()
    assert.equal(await running, 'stopped')
  }
  return points
}

/** Every window but the last, whose end the watermark has not reached. */
const closed = (events: readonly Login[]) => {
  const newest = Math.max(...events.map(({ t }) => t)) - 20_001
  const open = Math.floor((newest + 1) / hour) * 3_600
  return new Map([...bruteForce(events)].filter(([key]) => Number(key.split(' ')[2]) < open))
}

test('a file, counted into the embedded store, is answered over HTTP as counted by hand', async () => {
  const directory = place(logins)
  const expected = closed(logins)
  const points = await follow(
    directory,
    config({ follow: true }),
    (got) => got.size >= expected.size,
  )
  assert.deepEqual(sorted(points), sorted(expected))
})

test('stopped and started again it goes on: each event counts once, over any number of stops', async () => {
  const directory = place([])
  let points = new Map<string, number>()
  for (const share of [0.3, 0.65, 1]) {
    const some = logins.slice(0, logins.length * share)
    write(directory, some)
    const expected = closed(some)
    points = await follow(directory, config({ follow: true }), (got) => got.size >= expected.size)
  }
  assert.deepEqual(sorted(points), sorted(closed(logins)))
})

test('a bounded file ends the job, with every window written and garbage set aside', async () => {
  const directory = place([...logins, 'garbage'])
  const panes: Pane[] = []
  const onPanes = (some: readonly Pane[]) => panes.push(...some)
  assert.equal(await runConfig(directory, config(), { onPanes }), 'ended')
  const last = new Map(
    panes.flatMap(({ tags, windowStart, values }) =>
      Object.entries(values).map(
        ([name, value]) => [`${name} ${tags.product} ${windowStart / 1_000}`, value] as const,
      ),
    ),
  )
  assert.deepEqual(sorted(last), sorted(bruteForce(logins)))
  const dead = readFileSync(join(directory, '.warden/logins/dead-letters.jsonl'), 'utf8')
  assert.match(dead, /"reason":"not_json"/)
})

test('a config that does not fit the state is refused by name, and nothing is touched', async () => {
  const directory = place(logins)
  await runConfig(directory, config())
  const other = config({ metrics: metric.replace('size: 1h', 'size: 2h') })
  await assert.rejects(runConfig(directory, other), (error: Error & { code: string }) => {
    assert.equal(error.code, 'state_incompatible')
    assert.match(
      error.message,
      /metric login: its state does not fit .*window.*--drop-metric login/,
    )
    return true
  })
  assert.equal(await runConfig(directory, config()), 'ended')
})

test('--drop-metric is the way on: the metric starts without its state, the others keep theirs', async () => {
  const second = metric.replace('login:', 'kept:')
  const directory = place(logins.slice(0, 600))
  const text = (metrics: string) => config({ metrics, follow: true })
  const kept = closed(logins.slice(0, 600))
  await follow(directory, text(metric + second), (got) => got.size >= kept.size)
  const changed = metric.replace('keep: best', 'keep: first')
  const stop = new AbortController()
  stop.abort()
  await assert.rejects(runConfig(directory, text(changed + second)), /metric login/)
  const outcome = await runConfig(directory, text(changed + second), {
    dropMetrics: new Set(['login']),
    stop: stop.signal,
  })
  assert.equal(outcome, 'stopped')
  assert.equal(await runConfig(directory, text(changed + second), { stop: stop.signal }), 'stopped')
})

test('a renamed metric takes its state with it', async () => {
  const directory = place(logins.slice(0, 300))
  const first = closed(logins.slice(0, 300))
  await follow(directory, config({ follow: true }), (got) => got.size >= first.size)
  write(directory, logins)
  const renamed = metric.replace('login:', 'signIn:\n    renamedFrom: login')
  const panes: Pane[] = []
  const stop = new AbortController()
  const onPanes = (some: readonly Pane[]) => panes.push(...some)
  const running = runConfig(directory, config({ metrics: renamed, follow: true }), {
    stop: stop.signal,
    onPanes,
  })
  const wanted = [...closed(logins).keys()].length / 3 - first.size / 3
  await until('the windows of the new name', () => panes.length >= wanted)
  stop.abort()
  await running
  const half = panes.find(({ windowStart }) => windowStart === day + hour)
  const key = `${half?.tags.product} ${(day + hour) / 1_000}`
  assert.equal(half?.metric, 'signIn')
  assert.equal(half?.values.events, bruteForce(logins).get(`events ${key}`))
})

test('a stop before the start leaves the state as it is', async () => {
  const directory = place(logins)
  const stop = new AbortController()
  stop.abort()
  assert.equal(await runConfig(directory, config(), { stop: stop.signal }), 'stopped')
  assert.equal(existsSync(join(directory, '.warden/logins/dead-letters.jsonl')), false)
  assert.equal(await runConfig(directory, config()), 'ended')
})

test('two jobs in one directory: the second is told who is there', async () => {
  const directory = place(logins)
  const stop = new AbortController()
  let isUp = false
  const running = runConfig(directory, config({ follow: true }), {
    stop: stop.signal,
    onListening: () => {
      isUp = true
    },
  })
  await until('the first listens', () => isUp)
  await assert.rejects(runConfig(directory, config({ follow: true })), { code: 'state_locked' })
  stop.abort()
  await running
})
