import { HttpSource } from '../../src/ingest/http-source.ts'
import { SystemClock } from '../../src/system-clock.ts'
import { RecordingLogger } from './recording-logger.ts'
import { RecordingMetrics } from './recording-metrics.ts'

/** An HTTP source in a process of its own, to be killed: prints its port once it takes events, and reads nothing. */
const source = new HttpSource(
  { name: 'events', host: '127.0.0.1', port: 0, directory: process.argv[2] ?? '' },
  { clock: new SystemClock(), logger: new RecordingLogger(), metrics: new RecordingMetrics() },
)
await source.open(new Map())
source.hold(0, true)
process.stdout.write(`${source.address.port}\n`)
setInterval(() => {}, 60_000)
