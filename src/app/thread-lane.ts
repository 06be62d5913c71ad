import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads'
import { WardenError } from '../core/errors.ts'
import type { Telemetry } from '../core/telemetry.ts'
import type { LaneLink } from '../pipeline/lanes/lane-link.ts'
import type { FromLane, ToLane } from '../pipeline/lanes/lane-messages.ts'
import { TelemetryReceiver } from './forwarded-telemetry.ts'
import {
  buffersOf,
  errorOf,
  type FromThread,
  type LaneThreadData,
  type PlainError,
  type ToThread,
} from './lane-thread.ts'

/** A thread that does not end by itself is ended after so long. */
const closeTimeoutMs = 5_000

/** Starts a thread for each lane, with a channel between every two of them. */
export function startThreadLanes(
  lanes: readonly Omit<LaneThreadData, 'ports'>[],
  telemetry: Telemetry,
): readonly LaneLink[] {
  const receiver = new TelemetryReceiver(telemetry)
  const ports: (MessagePort | undefined)[][] = lanes.map(() => lanes.map(() => undefined))
  for (let a = 0; a < lanes.length; a++) {
    for (let b = a + 1; b < lanes.length; b++) {
      const { port1, port2 } = new MessageChannel()
      ;(ports[a] ?? [])[b] = port1
      ;(ports[b] ?? [])[a] = port2
    }
  }
  return lanes.map(
    (data, index) => new ThreadLane({ ...data, ports: ports[index] ?? [] }, telemetry, receiver),
  )
}

class ThreadLane implements LaneLink {
  onMessage: (message: FromLane) => void = () => {}
  readonly #worker: Worker
  readonly #name: string
  readonly #gone: Promise<void>
  readonly #telemetry: Telemetry
  #isClosing = false

  constructor(data: LaneThreadData, telemetry: Telemetry, receiver: TelemetryReceiver) {
    const { lane } = data.place
    this.#name = `lane ${lane} of ${data.plan.source}`
    this.#telemetry = telemetry
    this.#worker = startWorker(data)
    this.#worker.on('message', (message: FromThread) => {
      if (message.kind === 'telemetry') receiver.receive(lane, message.message)
      else this.#receive(message.message)
    })
    this.#worker.on('error', (cause) => this.#broke(`failed: ${cause.message}`, cause))
    this.#gone = new Promise((resolve) => {
      this.#worker.on('exit', (code) => {
        this.#broke(`ended with code ${code}`, undefined)
        resolve()
      })
    })
  }

  send(message: ToLane): void {
    this.#post({ kind: 'lane', message }, buffersOf(message))
  }

  async stop(): Promise<void> {
    this.#post({ kind: 'stop' }, [])
  }

  async close(): Promise<void> {
    this.#isClosing = true
    this.#post({ kind: 'close' }, [])
    const cancel = this.#telemetry.clock.after(closeTimeoutMs, () => {
      this.#telemetry.logger.warn({ lane: this.#name }, 'a lane did not end in time')
      void this.#worker.terminate()
    })
    await this.#gone
    cancel()
  }

  #receive(message: FromLane): void {
    if (message.kind !== 'failed') this.onMessage(message)
    else this.onMessage({ kind: 'failed', error: errorOf(message.error as PlainError) })
  }

  #broke(how: string, cause: Error | undefined): void {
    if (this.#isClosing) return
    const error = new WardenError('internal', `${this.#name} ${how}`, { cause })
    this.onMessage({ kind: 'failed', error })
  }

  #post(message: ToThread, buffers: ArrayBuffer[]): void {
    this.#worker.postMessage(message, buffers)
  }
}

/** Compiled, the thread's entry lies beside this file; from the sources it needs their loader, which a thread does not inherit. */
function startWorker(data: LaneThreadData): Worker {
  const ports = data.ports.flatMap((port) => port ?? [])
  const options = {
    workerData: data,
    transferList: ports,
    name: `lane-${data.place.lane}`,
    execArgv: process.execArgv.filter((flag) => inherited.test(flag)),
  }
  const isSource = import.meta.url.endsWith('.ts')
  const entry = new URL(isSource ? './lane-worker.ts' : './lane-worker.js', import.meta.url)
  if (!isSource) return new Worker(entry, options)
  const loader = JSON.stringify(import.meta.resolve('tsx/esm/api'))
  const start = `import(${loader}).then(({ register }) => { register(); return import('${entry}') })`
  return new Worker(start, { ...options, eval: true })
}

/**
 * Flags of Node that a thread is to have too. A preload is meant for the main thread; V8's flags count for all threads anyway, and
 * are refused here.
 */
const inherited = /^--(cpu-prof|heap-prof|enable-source-maps)/
