import { brokers, sasl, tls } from './connection.ts'
import {
  bytes,
  duration,
  either,
  filePath,
  flag,
  named,
  oneOf,
  optional,
  percentage,
  prefix,
  secret,
  section,
  tag,
  url,
  whole,
  words,
} from './fields.ts'

const shared = {
  prefix: prefix('Stands before the name of every point: `<prefix><metric>.<aggregate>`.', {
    default: 'warden.',
  }),
  timestamp: oneOf(['start', 'end'], 'Which end of the window is the time of its point.', {
    default: 'start',
  }),
  required: flag(
    '`true`: when `outbox.maxBytes` of points wait for this sink, reading pauses. `false`: nobody waits for it; beyond `maxBacklog` its oldest points are lost, and counted.',
    { default: true },
  ),
  maxBacklog: bytes(
    'Points that may wait for a sink that is not required, at most; on disk, beside `outbox.maxBytes`.',
    { default: '1GiB' },
  ),
}

const auth = either(
  [
    section(
      {
        type: tag('basic', 'User name and password with every request.'),
        username: words('User name.'),
        password: secret('Password: `${ENV_NAME}` or `{ file: path }`.'),
      },
      'HTTP basic authentication.',
    ),
    section(
      {
        type: tag('bearer', 'A token with every request.'),
        token: secret('Token: `${ENV_NAME}` or `{ file: path }`.'),
      },
      'A bearer token.',
    ),
  ],
  'Log-in at the TSD, or at a proxy before it.',
)

const opentsdb = section(
  {
    type: tag(
      'opentsdb',
      'Writes to OpenTSDB 2.4 over HTTP and believes only its verdict per point.',
    ),
    url: url('Base URL of the TSD.', { examples: ['http://127.0.0.1:4242'] }),
    ...shared,
    batch: section(
      {
        points: whole('Most points in a request.', { default: 500, minimum: 1, maximum: 5_000 }),
        maxAge: duration('Longest wait for a batch to fill.', { default: '1s' }),
      },
      'How points are put together.',
      { default: {} },
    ),
    connections: whole(
      'Requests at the same time, at most: fewer while the TSD is slow or fails.',
      { default: 4, minimum: 1, maximum: 32 },
    ),
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
    slow: duration(
      'An answer that takes at least so long halves requests at the same time and their size; quick ones raise them again.',
      { default: '5s' },
    ),
    maxRate: optional(
      whole('Points per second, at most. Left out: as many as the TSD takes.', {
        minimum: 1,
        maximum: 10_000_000,
        examples: [5_000],
      }),
    ),
    settle: duration(
      'After a write of unknown outcome, the newest value is sent once more when the TSD was well for so long: a write that timed out may land late. `0s`: never.',
      { default: '2m' },
    ),
    gzipFrom: bytes(
      'Request bodies of at least this size are compressed: on a fast network that costs more than it saves.',
      { default: '256KiB' },
    ),
    headers: optional(
      named(words('Value of the header.'), 'Headers sent with every request, by name.', {
        examples: [{ 'X-Tenant': 'lending' }],
      }),
    ),
    auth: optional(auth),
    verify: oneOf(
      ['none', 'readback'],
      '`readback`: a share of the points is read back when they are written, and written again where they are not as they were sent.',
      { default: 'none' },
    ),
    verifyShare: percentage(
      'Share of the points that `verify: readback` reads back, and of every request at least one point.',
      { default: '1%' },
    ),
    annotations: flag(
      'Verdicts other than OK are written as global annotations too, one for each metric and window: Grafana shows them on any chart. The embedded store always has them.',
      { default: false },
    ),
  },
  'OpenTSDB.',
)

const embedded = section(
  {
    type: tag('embedded', 'Writes to the store inside Warden, which answers as OpenTSDB does.'),
    ...shared,
  },
  'The embedded store; it lies in `stateDir` and answers at `server.listen`.',
)

const file = section(
  {
    type: tag('file', 'Writes points as JSON lines.'),
    path: filePath('File to append to.', { examples: ['./out/points.jsonl'] }),
    rollSize: optional(
      bytes(
        'A file of at least this size is put aside as `<path>.000001`, counted upwards. Left out: never.',
        { examples: ['100MiB'] },
      ),
    ),
    keep: optional(
      whole('Files put aside that are kept, the latest. Left out: all.', {
        minimum: 1,
        maximum: 999_999,
      }),
    ),
    ...shared,
  },
  'A file of JSON lines.',
)

const kafka = section(
  {
    type: tag('kafka', 'Writes every revision of every point as JSON to a topic.'),
    brokers,
    topic: words('Name of the topic; it has to exist.'),
    tls,
    sasl: optional(sasl),
    ...shared,
    delivery: oneOf(
      ['exactly-once', 'at-least-once'],
      '`exactly-once`: in transactions; readers of committed records see each revision once. `at-least-once`: after a crash some stand there twice.',
      { default: 'exactly-once' },
    ),
    transactionalId: optional(
      words(
        'Names the writer to the brokers; the consumer group that carries its position has the same name. Left out: `warden-<job>-<sink>`.',
      ),
    ),
    batch: section(
      {
        points: whole('Points in a transaction, about.', {
          default: 5_000,
          minimum: 1,
          maximum: 50_000,
        }),
        maxAge: duration('Longest wait for a transaction to fill.', { default: '1s' }),
      },
      'How points are put together.',
      { default: {} },
    ),
  },
  'A Kafka topic.',
)

export const sink = either(
  [opentsdb, embedded, file, kafka],
  'Where points go; `type` says what it is.',
)

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
