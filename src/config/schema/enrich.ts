import {
  duration,
  either,
  filePath,
  flag,
  named,
  oneOf,
  optional,
  redisUrl,
  secret,
  section,
  tag,
  url,
  whole,
  words,
} from './fields.ts'

const onOutage = oneOf(
  ['wait', 'unknown'],
  'What becomes of a new key while nobody can be asked: reading waits, or the key is unknown in its window.',
  { default: 'wait' },
)

const timeout = duration('Longest wait for an answer, 10 ms to 1 m; then the table is away.', {
  default: '1s',
})

const redisLogin = {
  url: redisUrl('Address of the Redis.', { examples: ['redis://127.0.0.1:6379/0'] }),
  username: optional(words('User name, where the Redis has users.')),
  password: optional(secret('Password: `${ENV_NAME}` or `{ file: path }`.')),
}

/** Of tables of which memory holds the keys used last. */
const keyed = {
  refresh: duration(
    'Time between two refreshes: keys used since the last one are looked up again in the background. At least 1 s.',
    { default: '5m' },
  ),
  expire: duration(
    'A value older than this is not used any more: its key is looked up as a new one is. At least `refresh`.',
    { default: '1h' },
  ),
  missingFor: duration('How long a key without an entry is not asked for again.', {
    default: '1m',
  }),
  timeout,
  batch: whole('Keys of one request, at most.', { default: 500, minimum: 1, maximum: 10_000 }),
  requests: whole('Requests under way at once, at most.', {
    default: 4,
    minimum: 1,
    maximum: 64,
  }),
  cacheKeys: whole('Keys held in memory; those used longest ago make room.', {
    default: 100_000,
    minimum: 1,
    maximum: 10_000_000,
  }),
  onOutage,
}

const file = section(
  {
    type: tag('file', 'A file that is read as a whole, and anew when it changes.'),
    path: filePath('Path of the file.', { examples: ['products.csv'] }),
    format: optional(
      oneOf(
        ['csv', 'json', 'yaml'],
        'CSV with the names of the columns in its first row; or JSON or YAML, with an object by key or a list of objects. Left out: by the end of the name.',
      ),
    ),
    key: optional(
      words(
        'Column, or field of the objects of a list, that is the key. Left out: the first column.',
      ),
    ),
    refresh: duration('Time between two looks at whether the file has changed; at least 100 ms.', {
      default: '5s',
    }),
    maxEntries: whole('A file with more entries is taken for a mistake.', {
      default: 1_000_000,
      minimum: 1,
      maximum: 10_000_000,
    }),
    onOutage,
  },
  'A table in a file.',
)

const redis = section(
  {
    type: tag('redis', 'A Redis whose values are texts, or JSON objects.'),
    ...redisLogin,
    hash: optional(
      words('Name of a hash whose fields are the keys. Left out: each key is a key of the Redis.'),
    ),
    prefix: optional(words('Stands before each key in the Redis; not with `hash`.')),
    preload: flag(
      'Read `cacheKeys` entries at the start; with `prefix` that scans the whole database.',
      { default: false },
    ),
    ...keyed,
  },
  'A table in Redis.',
)

const http = section(
  {
    type: tag('http', 'An HTTP API that speaks JSON.'),
    url: url(
      'With `{key}` in it: GET for one key; 404 is no entry. Else POST with `{"keys": […]}`, answered by an object with an entry for each key that has one.',
      { examples: ['http://127.0.0.1:8080/products'] },
    ),
    preload: optional(
      url('Answers GET with an object of all entries, read at the start. Left out: none.'),
    ),
    headers: optional(named(words('Value of the header.'), 'Headers sent with every request.')),
    token: optional(secret('Bearer token: `${ENV_NAME}` or `{ file: path }`.')),
    cache: optional(
      section(redisLogin, 'A Redis between memory and API, that several Wardens may share.'),
    ),
    ...keyed,
  },
  'A table behind HTTP.',
)

export const enrich = named(
  either([file, redis, http], 'A table.'),
  'Tables that dimensions are looked up in, by name: see docs/enrichment.md.',
)
