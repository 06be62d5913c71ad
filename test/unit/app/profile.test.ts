import assert from 'node:assert/strict'
import { test } from 'node:test'
import fastify from 'fastify'
import type { LaneThreadData } from '../../../src/app/lane-thread.ts'
import { registerProfileRoute } from '../../../src/app/profile-routes.ts'
import { summaryOf } from '../../../src/app/profile-summary.ts'
import type { ThreadProfile } from '../../../src/app/system-profiler.ts'
import { startThreadLanes } from '../../../src/app/thread-lane.ts'
import { SystemClock } from '../../../src/system-clock.ts'
import { eventPlan, metricPlan } from '../../support/lane-rig.ts'
import { PipelineRig } from '../../support/pipeline-rig.ts'
import { ScriptedLog } from '../../support/scripted-source.ts'
import { until } from '../../support/until.ts'

const frame = (functionName: string, url = '', lineNumber = -1) => ({
  functionName,
  url,
  lineNumber,
})

test('a profile in short: the share of busy time, and functions by their own time, the most expensive first', () => {
  const profile = {
    nodes: [
      { id: 1, callFrame: frame('(idle)') },
      { id: 2, callFrame: frame('count', 'file:///app/dist/pipeline/lanes/lane.js', 41) },
      { id: 3, callFrame: frame('', 'file:///app/x.js', 0) },
      { id: 4, callFrame: frame('count', 'file:///app/dist/pipeline/lanes/lane.js', 41) },
    ],
    samples: [1, 2, 3, 4],
    timeDeltas: [5_000, 2_000, 1_000, 2_000],
  }
  const { busy, top } = summaryOf(JSON.stringify(profile), 12)
  assert.equal(busy, 0.5)
  assert.deepEqual(top, [
    { name: 'count pipeline/lanes/lane.js:42', share: 0.8 },
    { name: '(anonymous) /app/x.js:1', share: 0.2 },
  ])
  assert.equal(summaryOf(JSON.stringify(profile), 1).top.length, 1)
  assert.throws(() => summaryOf('{}', 1), /no CPU profile/)
})

test('all threads of a job are profiled over HTTP, one request at a time', async (t) => {
  const rig = new PipelineRig(new ScriptedLog())
  const clock = new SystemClock()
  const telemetry = { clock, logger: rig.logger, metrics: rig.metrics }
  const layout = { lanes: 2, shuffled: true }
  const dataOf = (lane: number): Omit<LaneThreadData, 'ports'> => ({
    source: {
      type: 'file',
      options: { name: 'orders', paths: ['/nowhere'], follow: true, partitionPerFile: true },
    },
    place: { ...layout, lane },
    plan: eventPlan(),
    metrics: [metricPlan()],
    hashKey: new Uint8Array(16),
  })
  const links = startThreadLanes([dataOf(0), dataOf(1)], telemetry)
  t.after(() => Promise.all(links.map((link) => link.close())))
  const server = fastify()
  t.after(() => server.close())
  registerProfileRoute(server, clock)
  const ask = (seconds: string) =>
    server.inject({ method: 'POST', url: `/api/profile?seconds=${seconds}` })
  let threads: readonly ThreadProfile[] = []
  // A thread answers once it has loaded.
  await until('all threads answer', async () => {
    threads = (await ask('0.05')).json().threads
    return threads.length === 3
  })
  assert.deepEqual(
    threads.map(({ thread }) => thread),
    ['main', 'orders-0', 'orders-1'],
  )
  for (const { profile } of threads) assert.ok(summaryOf(profile, 1).top.length > 0)
  const [first, second] = await Promise.all([ask('0.05'), ask('0.05')])
  assert.deepEqual([first.statusCode, second.statusCode].sort(), [200, 409])
  for (const wrong of ['0', '-1', 'soon', '301']) assert.equal((await ask(wrong)).statusCode, 400)
})
