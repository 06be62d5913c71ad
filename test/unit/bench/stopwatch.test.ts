import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import test from 'node:test'
import { cpuSecondsOf, peakRssOf, processTree } from '../../bench/peers/process-tree.ts'
import { Stopwatch } from '../../bench/peers/stopwatch.ts'
import { peersTable } from '../../bench/report/peers-table.ts'

test('a slow start and a slow end are no part of the steady state', () => {
  let now = 0
  const watch = new Stopwatch(
    1_000_000,
    () => [],
    () => now,
  )
  for (const [ms, records] of [
    [0, 0],
    [60_000, 100_000],
    [61_000, 200_000],
    [65_000, 600_000],
    [69_000, 1_000_000],
    [500_000, 1_000_000],
  ] as const) {
    now = ms
    watch.reached(records)
  }
  assert.equal(Math.round(watch.measured(undefined).eventsPerSecond), 100_000)
})

test('a peer that was never seen to come to the end has no rate', () => {
  const watch = new Stopwatch(1000, () => [])
  watch.reached(900)
  assert.throws(() => watch.measured(undefined), /never saw 950 records/)
})

test('what a child of a process uses is counted with it', async () => {
  const burn = 'const end = Date.now() + 300; while (Date.now() < end);'
  const parent = spawn(process.execPath, [
    '-e',
    `const { spawn } = require('node:child_process')
     const child = spawn(process.execPath, ['-e', ${JSON.stringify(`${burn} console.log('done'); setInterval(() => {}, 1000)`)}])
     child.stdout.pipe(process.stdout)
     process.on('SIGTERM', () => { child.kill('SIGKILL'); process.exit(0) })`,
  ])
  await once(parent.stdout, 'data')
  const tree = processTree([parent.pid ?? 0])
  const [own, all] = [cpuSecondsOf(tree.slice(0, 1)), cpuSecondsOf(tree)]
  parent.kill('SIGTERM')
  await once(parent, 'exit')
  assert.equal(tree.length, 2)
  assert.ok(all - own >= 0.1, `${all} with the child, ${own} without`)
  assert.equal(peakRssOf([2 ** 30]), 0)
})

test('peers stand against those that were measured in the same run', () => {
  const round = (eventsPerSecond: number) => ({
    ...{ eventsPerSecond, cpuSecondsPerMillion: 1, lifeCpuSecondsPerMillion: 2 },
    ...{ peakRssMib: 100, checkpoints: 3 },
  })
  const text = peersTable([
    { key: 'flink-heap', name: 'Flink', rounds: [round(90_000), round(110_000), round(100_000)] },
    { key: 'kafkajs', name: 'kafkajs', rounds: [] },
    { key: 'warden-1', name: 'Warden', rounds: [round(900_000), round(1_200_000), round(1e6)] },
  ])
  assert.match(
    text,
    /^\| Warden \| 900 \/ \*\*1000\*\* \/ 1200 .* \| \*\*10\.00\*\* \(10\.00–10\.91\) \|$/m,
  )
  assert.doesNotMatch(text, /kafkajs/)
})
