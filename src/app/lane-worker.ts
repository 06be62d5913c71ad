import { parentPort, workerData } from 'node:worker_threads'
import { WardenError } from '../core/errors.ts'
import { createDecoder } from '../ingest/create-decoder.ts'
import { FileSource } from '../ingest/file-source.ts'
import { kafkaCodecs } from '../ingest/kafka-codecs.ts'
import { KafkaSource } from '../ingest/kafka-source.ts'
import type { Source } from '../ingest/source.ts'
import { enricherOf } from '../pipeline/lanes/create-enricher.ts'
import type { BetweenLanes, FromLane } from '../pipeline/lanes/lane-messages.ts'
import { LaneRunner } from '../pipeline/lanes/lane-runner.ts'
import { forwardedTelemetry } from './forwarded-telemetry.ts'
import {
  buffersOf,
  type FromThread,
  type LaneSourceOptions,
  type LaneThreadData,
  plainError,
  type ToThread,
} from './lane-thread.ts'
import { sharedDedupOf } from './shared-dedups.ts'
import { watchLoopStalls } from './system-loop-stalls.ts'
import { answerProfiles } from './system-profiler.ts'

/* Entry of a lane's thread. */

const main = parentPort
if (main === null) throw new WardenError('internal', 'a lane runs in a thread of its own')
const data = workerData as LaneThreadData
const post = (message: FromThread, buffers: ArrayBuffer[] = []) =>
  main.postMessage(message, buffers)
const telemetry = forwardedTelemetry((message) => post({ kind: 'telemetry', message }))
/** Milliseconds between two hand-overs that nothing hurries. */
const handOverMs = 50

const runner = new LaneRunner({
  place: data.place,
  plan: data.plan,
  metrics: data.metrics,
  source: createSource(data.source),
  createDecoder: (dictionaries) =>
    createDecoder('auto', {
      event: data.plan,
      metrics: data.metrics,
      dictionaries,
      hashKey: data.hashKey,
      codecs: kafkaCodecs,
      checkCrc: true,
    }),
  createEnricher: enricherOf(data.metrics, data.hashKey, telemetry.metrics),
  shared: data.metrics.map((metric) =>
    sharedDedupOf(metric, data.dedup?.get(metric.name), telemetry),
  ),
  clock: telemetry.clock,
  yieldToIo: () => new Promise((resolve) => setImmediate(resolve)),
  handOverMs,
  toMain: (message) => post({ kind: 'lane', message: plain(message) }, buffersOf(message)),
  toLane: (lane, message) => data.ports[lane]?.postMessage(message, buffersOf(message)),
})
const name = `${data.plan.source}-${data.place.lane}`
const stopWatch = watchLoopStalls(telemetry.metrics, name)
const stopProfiles = answerProfiles(name, telemetry.clock)

for (const [lane, port] of data.ports.entries()) {
  port?.on('message', (message: BetweenLanes) => runner.receiveFrom(lane, message))
}
main.on('message', (message: ToThread) => {
  if (message.kind === 'lane') runner.receive(message.message)
  else if (message.kind === 'stop') void runner.stop()
  else void close()
})

async function close(): Promise<void> {
  await runner.close()
  stopWatch()
  stopProfiles()
  for (const port of data.ports) port?.close()
  main?.close()
}

function createSource(source: LaneSourceOptions): Source {
  return source.type === 'kafka'
    ? new KafkaSource(source.name, source.options, telemetry)
    : new FileSource(source.options, telemetry)
}

function plain(message: FromLane): FromLane {
  return message.kind === 'failed' ? { kind: 'failed', error: plainError(message.error) } : message
}
