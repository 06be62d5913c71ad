import type { SinkConfig } from '../config/config.ts'
import { WardenError } from '../core/errors.ts'
import { type DeliveryOptions, defaultDeliveryOptions } from '../sink/delivery-options.ts'
import { EmbeddedSink } from '../sink/embedded-sink.ts'
import { FileSink } from '../sink/file-sink.ts'
import { OpentsdbSink, opentsdbSinkOptions } from '../sink/opentsdb-sink.ts'
import { PrefixedSink } from '../sink/prefixed-sink.ts'
import type { Sink } from '../sink/sink.ts'
import { nameTrouble } from '../store/api/put-points.ts'
import type { PointStore } from '../store/point-store.ts'

/** A sink and how points are delivered to it. */
export interface SinkInUse {
  readonly sink: Sink
  readonly delivery: DeliveryOptions
}

/** @param store the embedded store; undefined when no sink of the config needs it */
export function createSink(config: SinkConfig, store: PointStore | undefined): SinkInUse {
  const { name, prefix } = config
  switch (config.type) {
    case 'opentsdb': {
      const { url, timeoutMs, connections, batch, retry } = config
      const sink = new OpentsdbSink(opentsdbSinkOptions({ name, url, timeoutMs, connections }))
      const delivery = {
        ...defaultDeliveryOptions,
        batchPoints: batch.points,
        batchAgeMs: batch.maxAgeMs,
        connections,
        backoff: retry,
      }
      return { sink: new PrefixedSink(sink, prefix), delivery }
    }
    case 'embedded': {
      if (store === undefined) throw new WardenError('internal', 'the embedded store is not open')
      return {
        sink: new PrefixedSink(new EmbeddedSink(name, store, nameTrouble), prefix),
        delivery: local,
      }
    }
    case 'file':
      return {
        sink: new PrefixedSink(new FileSink({ name, path: config.path }), prefix),
        delivery: local,
      }
  }
}

/** Stores in this process answer at once, one writer at a time, and nothing is written late. */
const local: DeliveryOptions = {
  ...defaultDeliveryOptions,
  batchAgeMs: 0,
  batchPoints: 5_000,
  connections: 1,
  settleMs: 0,
}
