import {
  duration,
  either,
  oneOf,
  optional,
  percentage,
  redisUrl,
  secret,
  section,
  tag,
  whole,
  words,
} from './fields.ts'

const bloom = section(
  {
    type: tag(
      'bloom',
      'A Bloom filter: memory that is fixed from the start, and a small share of new users that is taken for known. Needs `keep: first`, by arrival.',
    ),
    keys: whole(
      'Users in all series of a window, about. With more of them more are missed; the memory stays.',
      { minimum: 1, maximum: 1_000_000_000 },
    ),
    falsePositives: percentage('Share of new users that may be missed at that number.', {
      default: '1%',
    }),
  },
  'Bounded memory.',
)

const hyperloglog = section(
  {
    type: tag(
      'hyperloglog',
      'A sketch of each series: the number of distinct users, estimated. For the aggregate `users` only, without `keep`.',
    ),
    error: percentage('Standard error of the number of users, 0.21% to 25%.', { default: '1%' }),
  },
  'Distinct users, estimated.',
)

const redis = section(
  {
    type: tag(
      'redis',
      'Users are claimed in a Redis; while it is away, reading waits. Needs `keep: first`, by arrival.',
    ),
    url: redisUrl('Address of the Redis.', { examples: ['redis://127.0.0.1:6379/0'] }),
    username: optional(words('User name, where the Redis has users.')),
    password: optional(secret('Password: `${ENV_NAME}` or `{ file: path }`.')),
    cacheKeys: whole(
      'Users that each lane remembers in front of the Redis, 32 bytes each; 0: every event asks.',
      { default: 1_000_000, minimum: 0, maximum: 100_000_000 },
    ),
    timeout: duration('Longest wait for an answer, 50 ms to 1 m; then it counts as away.', {
      default: '1s',
    }),
  },
  'Users in a Redis.',
)

export const dedup = section(
  {
    keep: optional(
      oneOf(
        ['first', 'last', 'best'],
        'Which event of a user counts: the earliest, the latest, or the one with the best outcome by the order of `outcomes`. Left out only with `backend: { type: hyperloglog }`.',
      ),
    ),
    backend: either(
      [
        oneOf(
          ['exact', 'bitmap', 'bloom', 'hyperloglog', 'redis'],
          '`exact`: a table in memory, with every `keep`. `bitmap`: a roaring bitmap for each series, for users that are whole numbers below 2^32; needs `keep: first`, by arrival. `hyperloglog`: with its defaults. The others have particulars that must be written.',
        ),
        bloom,
        hyperloglog,
        redis,
      ],
      'Where users are remembered. What each costs and gives up is in docs/state.md.',
      { default: 'exact' },
    ),
    per: either(
      [
        oneOf(['window'], 'Once in each window.'),
        duration(
          'Once in so much event time, longer than the window, at most 365d, whatever windows lie in it. Needs `keep: first`, by arrival, and `backend: exact`.',
          { examples: ['7d'] },
        ),
      ],
      'Within what a user counts once.',
      { default: 'window' },
    ),
  },
  'Counts each user once per series and window. Left out: every event counts.',
)
