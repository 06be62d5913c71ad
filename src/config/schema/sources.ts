import { brokers, sasl, tls } from './connection.ts'
import { event, generated, watermark } from './event.ts'
import {
  bytes,
  decimal,
  duration,
  either,
  filePath,
  flag,
  instant,
  list,
  listen,
  oneOf,
  optional,
  secret,
  section,
  tag,
  whole,
  words,
} from './fields.ts'

const kafka = section(
  {
    type: tag(
      'kafka',
      'Reads topics of a Kafka cluster. Warden owns its partitions and goes on at the offsets of its own checkpoint.',
    ),
    brokers,
    topics: list(words('Name of a topic.'), 'Topics to read; partitions added later are found.', {
      minItems: 1,
    }),
    from: either(
      [
        oneOf(
          ['latest', 'earliest', 'committed'],
          '`committed`: the offsets of `group`, and `latest` where it has none.',
        ),
        section(
          { timestamp: instant('First record whose timestamp is at or after it.') },
          'A point in time.',
        ),
      ],
      'Where reading starts for partitions that the checkpoint does not know.',
      { default: 'latest' },
    ),
    group: optional(
      words(
        'Consumer group that offsets are committed to after each checkpoint, for lag tools; Warden is no member of it. Left out: `warden-<job>`.',
      ),
    ),
    keyedByUser: flag(
      'The record key is the user, so that all events of a user lie in one partition (and, of several topics, in partitions of the same number): lanes need not exchange rows then. If it is not so, users count more than once.',
      { default: false },
    ),
    isolation: oneOf(
      ['read_committed', 'read_uncommitted'],
      'Whether records of open and aborted transactions are skipped.',
      {
        default: 'read_committed',
      },
    ),
    onDataLoss: oneOf(
      ['stop', 'continue'],
      'What to do when records were deleted before Warden read them or a topic was created anew. `continue` counts it and marks the windows partial.',
      {
        default: 'stop',
      },
    ),
    tls,
    sasl: optional(sasl),
    fetch: section(
      {
        maxBytesPerPartition: bytes('Most bytes a broker returns for a partition in one answer.', {
          default: '1MiB',
        }),
        maxWait: duration('Longest wait of a broker for new records.', { default: '100ms' }),
        bufferBytes: bytes('Bytes read ahead at most; partitions pause when it is full.', {
          default: '32MiB',
        }),
      },
      'How records are fetched.',
      { default: {} },
    ),
    watchdog: duration(
      'A fetch that is silent for so long although records wait is taken for broken, and the connection is made anew.',
      { default: '60s' },
    ),
    watermark,
    event,
  },
  'Kafka topics.',
)

const http = section(
  {
    type: tag(
      'http',
      'Takes events by POST to `/events`, as JSON or NDJSON, into a log on disk before it answers.',
    ),
    listen: listen('Address to listen on. Anything but loopback needs `token`.', {
      default: '127.0.0.1:4281',
    }),
    token: optional(secret('Bearer token that senders must show.')),
    maxLogBytes: bytes('Size of the log on disk at which senders get 429 with Retry-After.', {
      default: '1GiB',
    }),
    watermark,
    event,
  },
  'An HTTP endpoint.',
)

const file = section(
  {
    type: tag('file', 'Reads JSON lines from files, gzip too.'),
    path: either(
      [
        filePath('A file or a glob.'),
        list(filePath('A file or a glob.'), 'Several.', { minItems: 1 }),
      ],
      'Files to read, in the order of their names. `*` and `**` are globs; `.gz` is unpacked.',
      { examples: ['./events/*.jsonl.gz'] },
    ),
    follow: flag(
      'Wait for more at the end, and follow rotation. `false`: the source ends, everything fires, and Warden exits.',
      { default: false },
    ),
    from: oneOf(
      ['earliest', 'latest'],
      'Where reading starts without a checkpoint. `latest`, at the end of the files, only with `follow`.',
      { default: 'earliest' },
    ),
    onDataLoss: oneOf(
      ['stop', 'continue'],
      'What to do when a file was lost or changed before it was read to its end.',
      { default: 'stop' },
    ),
    partitionPerFile: flag(
      'Every file is a partition of its own with a watermark of its own. `false`: all files are one partition.',
      { default: false },
    ),
    watermark,
    event,
  },
  'Files of JSON lines.',
)

const generator = section(
  {
    type: tag('generator', 'Makes up lending events, from 30 days ago on: for demos and trials.'),
    rate: decimal('Events per second of processing time.', {
      default: 2000,
      minimum: 0.001,
      maximum: 1_000_000,
    }),
    speed: decimal(
      'Seconds of event time per second of processing time, until event time meets the wall clock.',
      {
        default: 600,
        minimum: 0.001,
        maximum: 1_000_000,
      },
    ),
    users: whole('Number of different users.', {
      default: 20_000,
      minimum: 1,
      maximum: 100_000_000,
    }),
    seed: whole('The same seed gives the same events.', {
      default: 1,
      minimum: 0,
      maximum: 4_294_967_295,
    }),
    watermark,
    event: generated,
  },
  'Made-up events.',
)

export const source = either(
  [kafka, http, file, generator],
  'Where events come from; `type` says what it is.',
)
