/**
 * `npm run bench:all`: every table of docs/benchmarks.md, one after the other, on a machine that does nothing else; more than an hour.
 * Goes on when one of them fails, and says so at the end.
 */
import { spawnSync } from 'node:child_process'

const few = 'flink-heap,kafkajs,warden-1,warden-2'
const commands = [
  // bytewax takes minutes a round, and its place is clear after two.
  'bench -- --peers flink-heap,flink-rocksdb,flink-heap-loan,kafkajs,kafkajs-job,bytewax:2,warden-1,warden-2,warden-1-kept',
  ...['gzip', 'lz4', 'snappy', 'zstd'].map(
    (codec) => `bench -- --compression ${codec} --rounds 3 --peers ${few}`,
  ),
  'bench:curves',
  'bench:skew',
  'bench:latency',
  'bench:smoke -- --record',
]

const failed: string[] = []
for (const command of commands) {
  const startedAt = performance.now()
  console.error(`=== npm run ${command}`)
  const { status } = spawnSync('npm', ['run', ...command.split(' ')], { stdio: 'inherit' })
  const minutes = ((performance.now() - startedAt) / 60_000).toFixed(1)
  console.error(`=== ${status === 0 ? 'done' : 'FAILED'} after ${minutes} min: npm run ${command}`)
  if (status !== 0) failed.push(command)
}
for (const command of failed) console.error(`FAILED: npm run ${command}`)
if (failed.length > 0) process.exitCode = 1
