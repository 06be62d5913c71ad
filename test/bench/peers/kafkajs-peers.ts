import { fileURLToPath } from 'node:url'
import zlib from 'node:zlib'
import type { Peer } from './peer.ts'
import { measurePrograms } from './program-peer.ts'

/** kafkajs with `JSON.parse`: alone, and with the whole job on top. */
export function kafkajsPeers(compression: string): Peer[] {
  const peer = (key: string, name: string, file: string, givesCounts: boolean): Peer => ({
    key,
    name,
    missing: () =>
      compression === 'zstd' && !('zstdDecompressSync' in zlib)
        ? `kafkajs reads zstd with node:zlib of Node 22.15 or later, this is ${process.versions.node}.`
        : undefined,
    measure: (task) => {
      const script = fileURLToPath(new URL(`programs/${file}`, import.meta.url))
      const args = [script, task.bootstrap, task.topic.name, String(task.topic.records)]
      return measurePrograms(task, [{ command: process.execPath, args, givesCounts }])
    },
  })
  return [
    peer('kafkajs', 'kafkajs, JSON.parse only', 'kafkajs-parse.mjs', false),
    peer('kafkajs-job', 'kafkajs, whole job in memory', 'kafkajs-job.mjs', true),
  ]
}
