import Type, { type Static } from 'typebox'
import { alerts } from './schema/alerts.ts'
import { enrich } from './schema/enrich.ts'
import { inlineSource } from './schema/event.ts'
import { filePath, legalName, named, optional, section, words } from './schema/fields.ts'
import { ha } from './schema/ha.ts'
import { metric } from './schema/metrics.ts'
import { notifications, receivers } from './schema/receivers.ts'
import {
  checkpoint,
  lanes,
  log,
  outbox,
  restart,
  server,
  shutdown,
  state,
  store,
} from './schema/runtime.ts'
import { deadLetters, lateEvents, sink } from './schema/sinks.ts'
import { source } from './schema/sources.ts'

const metrics = named(
  metric,
  'What is counted, by name. The name is the key of the state: `renamedFrom` keeps it over a new name.',
)

/** Everything that may stand in a config file: type, check, editor schema and manual come from here. */
export const configSchema = section(
  {
    $schema: optional(words('Schema for editors, in JSON files; not looked at.')),
    job: legalName(
      'Name of the job: it labels logs, is the tag of points without dimensions, and names the consumer group.',
      { examples: ['lending'] },
    ),
    stateDir: optional(
      filePath(
        'Directory of the state, on a local disk; one Warden at a time. Left out: `./.warden/<job>`.',
      ),
    ),
    sources: named(source, 'Where events come from, by name.'),
    metrics,
    enrich: optional(enrich),
    sinks: named(sink, 'Where points go, by name; each has a cursor of its own.', {
      default: { local: { type: 'embedded' } },
    }),
    deadLetters,
    lateEvents,
    alerts,
    receivers,
    notifications,
    checkpoint,
    lanes,
    restart,
    server,
    outbox,
    store,
    state,
    ha: optional(ha),
    shutdown,
    log,
  },
  'A Warden job.',
)

/** What of a config a pipeline spec needs; the other keys of a config may be there and are not looked at. */
export const inlineSchema = section(
  {
    job: legalName('Name of the job.', { default: 'spec' }),
    sources: named(inlineSource, 'How events are read, by name of the source.'),
    metrics,
    ...Object.fromEntries(
      Object.keys(configSchema.properties)
        .filter((key) => !['job', 'sources', 'metrics'].includes(key))
        .map((key) => [key, optional(Type.Unknown())]),
    ),
  },
  'The part of a config that says what is counted.',
)

/** A config after reading: durations in ms, sizes in bytes, defaults in place. */
export type ConfigDocument = Static<typeof configSchema>
export type SourceDocument = ConfigDocument['sources'][string]
export type EventDocument = SourceDocument['event']
export type WatermarkDocument = SourceDocument['watermark']
export type MetricDocument = ConfigDocument['metrics'][string]
export type SinkDocument = ConfigDocument['sinks'][string]
