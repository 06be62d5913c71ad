import { brokers, sasl, tls } from './connection.ts'
import {
  duration,
  either,
  filePath,
  oneOf,
  optional,
  percentage,
  prefix,
  section,
  tag,
  url,
  whole,
  words,
} from './fields.ts'

const naming = {
  prefix: prefix('Stands before the name of every point: `<prefix><metric>.<aggregate>`.', {
    default: 'warden.',
  }),
  timestamp: oneOf(['start', 'end'], 'Which end of the window is the time of its point.', {
    default: 'start',
  }),
}

const opentsdb = section(
  {
    type: tag(
      'opentsdb',
      'Writes to OpenTSDB 2.4 over HTTP and believes only its verdict per point.',
    ),
    url: url('Base URL of the TSD.', { examples: ['http://127.0.0.1:4242'] }),
    ...naming,
    batch: section(
      {
        points: whole('Most points in a request.', { default: 500, minimum: 1, maximum: 5_000 }),
        maxAge: duration('Longest wait for a batch to fill.', { default: '1s' }),
      },
      'How points are put together.',
      { default: {} },
    ),
    connections: whole('Requests at the same time.', { default: 4, minimum: 1, maximum: 32 }),
    timeout: duration(
      'Longest wait for an answer; longer than the TSD’s own wait for its storage.',
      {
        default: '30s',
      },
    ),
    retry: section(
      {
        initial: duration('Upper bound of the first wait.', { default: '200ms' }),
        max: duration('Upper bound of every wait.', { default: '30s' }),
      },
      'Waits between attempts: random, with a bound that doubles.',
      { default: {} },
    ),
  },
  'OpenTSDB.',
)

const embedded = section(
  {
    type: tag('embedded', 'Writes to the store inside Warden, which answers as OpenTSDB does.'),
    ...naming,
  },
  'The embedded store; it lies in `stateDir` and answers at `server.listen`.',
)

const file = section(
  {
    type: tag('file', 'Writes points as JSON lines.'),
    path: filePath('File to append to.', { examples: ['./out/points.jsonl'] }),
    ...naming,
  },
  'A file of JSON lines.',
)

export const sink = either([opentsdb, embedded, file], 'Where points go; `type` says what it is.')

const maxRate = {
  maxRate: optional(
    percentage(
      'Share of dead letters among the latest 100,000 records (at least 1,000) at which Warden stops. Left out: never.',
      {
        examples: ['5%'],
      },
    ),
  ),
}

const toFile = { type: tag('file', 'Writes JSON lines, cut back to the checkpoint after a crash.') }

const toKafka = {
  type: tag(
    'kafka',
    'Writes to a topic; after a crash a record may stand there twice, under the same key.',
  ),
  brokers,
  topic: words('Name of the topic.'),
  tls,
  sasl: optional(sasl),
}

const sidePath = (name: string) =>
  optional(filePath(`File to append to. Left out: \`<stateDir>/${name}\`.`))

export const deadLetters = either(
  [
    section(
      { ...toFile, path: sidePath('dead-letters.jsonl'), ...maxRate },
      'A file of JSON lines.',
    ),
    section({ ...toKafka, ...maxRate }, 'A Kafka topic.'),
  ],
  'Where records go that cannot be read or counted, with reason, partition, offset and bytes.',
  { default: { type: 'file' } },
)

export const lateEvents = either(
  [
    section({ ...toFile, path: sidePath('late-events.jsonl') }, 'A file of JSON lines.'),
    section(toKafka, 'A Kafka topic.'),
  ],
  'Where events go that came after the lateness of all their windows.',
  { default: { type: 'file' } },
)
