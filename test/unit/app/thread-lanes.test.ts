import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { LaneThreadData } from '../../../src/app/lane-thread.ts'
import { startThreadLanes } from '../../../src/app/thread-lane.ts'
import { WardenError } from '../../../src/core/errors.ts'
import { durationMs } from '../../../src/core/time.ts'
import { SystemClock } from '../../../src/system-clock.ts'
import { eventPlan, metricPlan } from '../../support/lane-rig.ts'
import { PipelineRig } from '../../support/pipeline-rig.ts'
import { ScriptedLog } from '../../support/scripted-source.ts'
import { until } from '../../support/until.ts'

const metrics = [
  metricPlan({
    keep: 'best',
    values: [],
    allowedLateness: durationMs(1_000_000),
    aggregates: [
      { kind: 'count', name: 'count' },
      { kind: 'events', name: 'events' },
    ],
  }),
]
const layout = { lanes: 2, shuffled: true, partitions: undefined }

const dataOf = (lane: number, path: string): Omit<LaneThreadData, 'ports'> => ({
  source: {
    type: 'file',
    options: { name: 'orders', paths: [path], follow: false, partitionPerFile: true },
  },
  place: { ...layout, lane },
  plan: eventPlan(),
  metrics,
  hashKey: new Uint8Array(16),
})

test('two threads that exchange rows count every user once, over checkpoints while they run, and end', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'warden-threads-'))
  t.after(() => rmSync(directory, { recursive: true }))
  const users = new Map<string, Set<number>>()
  const events = new Map<string, number>()
  const files = [0, 1].map((file) => {
    const lines = Array.from({ length: 30_000 }, (_, n) => {
      const at = 10_000 + n
      const user = (n * 7919 + file * 31) % 997
      const key = `p${n % 3} ${Math.floor(at / 1_000)}`
      users.set(key, (users.get(key) ?? new Set()).add(user))
      events.set(key, (events.get(key) ?? 0) + 1)
      return `{"t":${at},"u":${user},"product":"p${n % 3}","o":"success"}\n`
    })
    const path = join(directory, `${file}.jsonl`)
    writeFileSync(path, lines.join(''))
    return path
  })
  const rig = new PipelineRig(new ScriptedLog())
  const telemetry = { clock: new SystemClock(), logger: rig.logger, metrics: rig.metrics }
  const links = startThreadLanes(
    files.map((path, lane) => dataOf(lane, path)),
    telemetry,
  )
  t.after(() => Promise.all(links.map((link) => link.close())))
  const built = (
    await rig.build({ metrics, lanes: { links, layout }, outboxBytes: 2 ** 24 })
  ).start()
  await until('the files are read', async () => {
    await rig.pass(100)
    return built.outcome !== undefined
  })
  assert.equal(built.outcome, 'ended')
  assert.ok(rig.store.commits > 1, `${rig.store.commits} checkpoints`)
  const stored = rig.stored()
  assert.equal(stored.size, 2 * users.size)
  for (const [key, one] of users) {
    assert.equal(stored.get(`loan.count ${key}`), one.size, key)
    assert.equal(stored.get(`loan.events ${key}`), events.get(key), key)
  }
})

test('flags of the process that a thread must not be given do not keep it from starting', async (t) => {
  const flags = process.execArgv
  const preload = 'data:text/javascript,throw new Error("only for the main thread")'
  process.execArgv = [
    '--max-old-space-size=2048',
    '--expose-gc',
    '--import',
    preload,
    `--import=${preload}`,
  ]
  t.after(() => {
    process.execArgv = flags
  })
  const rig = new PipelineRig(new ScriptedLog())
  const telemetry = { clock: new SystemClock(), logger: rig.logger, metrics: rig.metrics }
  const options = { name: 'orders', paths: ['/nowhere'], follow: true, partitionPerFile: true }
  const data: Omit<LaneThreadData, 'ports'> = {
    ...dataOf(0, ''),
    source: { type: 'file', options },
  }
  const [link] = startThreadLanes([data], telemetry)
  t.after(() => link?.close())
  const answers: string[] = []
  if (link !== undefined) link.onMessage = ({ kind }) => answers.push(kind)
  link?.send({ kind: 'open', series: [], positions: new Map() })
  await until('the thread answers', () => answers.length > 0)
  assert.deepEqual(answers, ['opened'])
})

test('a thread that dies ends the pipeline with an error that a restart may cure', async (t) => {
  const rig = new PipelineRig(new ScriptedLog())
  const telemetry = { clock: new SystemClock(), logger: rig.logger, metrics: rig.metrics }
  const links = startThreadLanes(
    [{ ...dataOf(0, '/nowhere'), metrics: [{ ...metricPlan(), window: null as never }] }],
    telemetry,
  )
  t.after(() => Promise.all(links.map((link) => link.close())))
  const built = (await rig.build({ lanes: { links, layout: { ...layout, lanes: 1 } } })).start()
  await until('the pipeline failed', async () => {
    await rig.pass(100)
    return built.outcome !== undefined
  })
  assert.ok(built.outcome instanceof WardenError)
  assert.match(built.outcome.message, /^lane 0 of orders failed: /)
  assert.equal(built.outcome.recovery, 'retry')
})
