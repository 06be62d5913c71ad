import {
  bytes,
  decimal,
  duration,
  either,
  filePath,
  listen,
  oneOf,
  optional,
  secret,
  section,
  tag,
  whole,
} from './fields.ts'

export const checkpoint = section(
  {
    interval: duration(
      'Time between checkpoints, 100 ms to 1 h. A window that fires asks for one at once.',
      { default: '10s' },
    ),
    timeout: duration('A checkpoint that takes longer has failed; at least 1 s.', {
      default: '10m',
    }),
    minPause: duration(
      'Rest between the end of a checkpoint and the start of the next; at most `interval`.',
      { default: '1s' },
    ),
    toleratedFailures: whole('Checkpoints that may fail in a row before the job restarts.', {
      default: 3,
      minimum: 0,
      maximum: 1_000,
    }),
  },
  'When state, offsets and outbox are made durable, in one transaction.',
  { default: {} },
)

export const lanes = either(
  [
    oneOf(['auto'], 'As many as there are processor cores and partitions.'),
    whole('So many.', { minimum: 1, maximum: 64 }),
  ],
  'Threads that read and count, for each Kafka source; they share its partitions. It may change from run to run.',
  { default: 'auto' },
)

const wait = duration('Wait before each restart.', { default: '10s' })

export const restart = either(
  [
    section(
      {
        strategy: tag('exponential', 'Waits longer after each failure, for ever.'),
        initial: duration('First wait.', { default: '1s' }),
        max: duration('Longest wait.', { default: '1m' }),
        multiplier: decimal('Factor from one wait to the next.', {
          default: 2,
          minimum: 1,
          maximum: 100,
        }),
        resetAfter: duration('Time without a failure after which the first wait is used again.', {
          default: '10m',
        }),
      },
      'Waits that grow.',
    ),
    section(
      {
        strategy: tag('fixed-delay', 'Gives up after so many attempts.'),
        delay: wait,
        attempts: whole('Restarts before it gives up.', {
          default: 3,
          minimum: 1,
          maximum: 1_000_000,
        }),
      },
      'Equal waits.',
    ),
    section(
      {
        strategy: tag('failure-rate', 'Gives up when failures are too frequent.'),
        max: whole('Failures within `per` before it gives up.', {
          default: 3,
          minimum: 1,
          maximum: 1_000_000,
        }),
        per: duration('Span that failures are counted in.', { default: '5m' }),
        delay: wait,
      },
      'Equal waits while failures are rare.',
    ),
    section({ strategy: tag('none', 'Gives up at the first failure.') }, 'No restart.'),
  ],
  'What happens after an unexpected error: the pipeline starts again from the last checkpoint.',
  { default: { strategy: 'exponential' } },
)

export const server = section(
  {
    listen: listen(
      'Address of `/metrics`, `/health/live`, `/health/ready` and of the embedded store’s `/api`. Anything but loopback needs `token`. Port 0: any free one.',
      { default: '127.0.0.1:4280' },
    ),
    token: optional(secret('Bearer token that callers must show.')),
  },
  'Warden’s own HTTP server.',
  { default: {} },
)

export const outbox = section(
  {
    maxBytes: bytes('Points that wait for a sink, at most; when they are more, reading pauses.', {
      default: '1GiB',
    }),
  },
  'Points on their way to the sinks.',
  { default: {} },
)

export const store = section(
  {
    retention: optional(
      duration('Points older than this are dropped, at least 1 h. Left out: none by age.', {
        examples: ['400d'],
      }),
    ),
    maxSize: optional(
      bytes(
        'Bytes that points may take on disk, at least 16 MiB; beyond it the oldest are dropped. Left out: none by size.',
        { examples: ['20GiB'] },
      ),
    ),
  },
  'What the embedded store keeps; looked at every ten minutes.',
  { default: {} },
)

export const state = section(
  {
    savepoints: section(
      {
        dir: optional(
          filePath('Directory of the savepoints. Left out: `savepoints` in `stateDir`.'),
        ),
        retain: whole('Savepoints kept; beyond it the oldest go.', {
          default: 3,
          minimum: 1,
          maximum: 1_000,
        }),
      },
      'Copies of the state that were asked for: `warden savepoint`.',
      { default: {} },
    ),
    replica: optional(
      either(
        [
          filePath('Directory, on another disk or machine (NFS, HDFS mount).'),
          section(
            {
              dir: filePath('Directory, on another disk or machine (NFS, HDFS mount).'),
              interval: duration('Time between two replicas, at least 10 s.', { default: '5m' }),
            },
            'Directory and cadence.',
          ),
        ],
        'Where a checksummed copy of the state is kept, under the name of the job. At a start without state the newest good one is restored. Left out: nowhere.',
      ),
    ),
  },
  'Copies of the state.',
  { default: {} },
)

export const shutdown = section(
  {
    timeout: duration(
      'Longest wait at SIGTERM for sinks to take what waits; the rest goes out after the next start.',
      { default: '30s' },
    ),
  },
  'A clean stop.',
  { default: {} },
)

export const log = section(
  {
    level: oneOf(['debug', 'info', 'warn', 'error'], 'Least severe lines that are written.', {
      default: 'info',
    }),
  },
  'Log lines, as JSON on standard error.',
  { default: {} },
)
