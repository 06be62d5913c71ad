import { DAY } from './opentsdb-points.ts'
import { type CompatRequest, get } from './opentsdb-request.ts'

/** Good and bad puts, and at the end a look at what they stored. */
export function putRequests(prefix: string): CompatRequest[] {
  const point = { metric: `${prefix}.put`, timestamp: DAY, value: '1.5', tags: { host: 'a' } }
  const put = (name: string, body: unknown, parameters = 'details'): CompatRequest => ({
    name,
    path: `/api/put?${parameters}`,
    method: 'POST',
    body,
  })
  return [
    {
      ...put('a sync_timeout that is no number', point, 'sync&sync_timeout=abc'),
      differs: 'A sync_timeout that is no number is a 400.',
    },
    put('a good point', point),
    put('a good point, summary', point, 'summary'),
    put('a good point, sync', point, 'sync&sync_timeout=5000&details'),
    put('a good point, plain', point, ''),
    put('a bad point, plain', { ...point, tags: {} }, ''),
    put('a bad point, summary', [point, { ...point, value: 'x' }], 'summary'),
    put('bad values', [
      ...[
        '',
        'abc',
        'NaN',
        'Infinity',
        ' 42 ',
        '0x1f',
        '1,5',
        '9223372036854775808',
        '1e400',
        '-1e999',
        '.',
        '1e',
        '--5',
      ].map((value) => ({ ...point, value })),
      { ...point, value: true },
      { ...point, value: null },
    ]),
    put('good values', [
      ...[
        '42',
        '+5',
        '-5',
        '1.5',
        '1e3',
        '.5',
        '5.',
        '-1.5E-3',
        '9223372036854775807',
        '1e300',
        '0',
        '-0.0',
      ].map((value, at) => ({ ...point, value, timestamp: DAY + 1 + at })),
      { ...point, value: 42, timestamp: DAY + 100 },
      { ...point, value: 1.25, timestamp: DAY + 101 },
    ]),
    put(
      'bad timestamps',
      [0, -1, null, ''].map((timestamp) => ({ ...point, timestamp })),
    ),
    {
      ...put(
        'timestamps of microseconds',
        [17951328000000, 1795132800000000].map((timestamp) => ({ ...point, timestamp })),
      ),
      differs: 'A timestamp of more than 13 digits is refused without its bytes.',
    },
    put(
      'good timestamps',
      [DAY + 200, `${DAY + 201}`, DAY + 202.7, (DAY + 203) * 1_000].map((timestamp) => ({
        ...point,
        timestamp,
      })),
    ),
    put('bad names', [
      ...['', null, 'a b', 'a:b', 'a,b', 'a{b', 'a*b', 'a%b', 'a+b', 'a@b', 'a#b'].map(
        (metric) => ({ ...point, metric }),
      ),
      ...['', 'a b', 'host:80', 'a=b'].flatMap((name) => [
        { ...point, tags: { [name]: 'x' } },
        { ...point, tags: { host: name } },
      ]),
    ]),
    put('bad tags', [
      { ...point, tags: undefined },
      { ...point, tags: null },
      { ...point, tags: {} },
      { ...point, tags: { host: null } },
      { ...point, tags: Object.fromEntries([...'abcdefghi'].map((key) => [key, 'x'])) },
    ]),
    put('numbers as tags and metric', { ...point, tags: { host: 5 }, metric: 7 }),
    put('null among points', [point, null]),
    put('an unknown field', { ...point, foo: 'bar' }),
    put('an object as value', [point, { ...point, value: {} }]),
    put('a list as value', [{ ...point, value: [1] }]),
    put('a text as timestamp', [{ ...point, timestamp: 'abc' }]),
    put('a list as tags', [{ ...point, tags: ['a'] }]),
    put('nested tags', [{ ...point, tags: { host: { a: 'b' } } }]),
    put('no points', []),
    put('no body to put', ''),
    put('no JSON to put', 'hello'),
    put('broken JSON to put', '[{'),
    { name: 'put by GET', path: '/api/put' },
    get('what was put', `none:${prefix}.put`),
  ]
}
