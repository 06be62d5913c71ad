import { DAY, HOUR } from './opentsdb-points.ts'
import { type CompatRequest, range } from './opentsdb-request.ts'

/** Last points, notes, look-ups by POST, and what describes the store. */
export function moreNameRequests(prefix: string): CompatRequest[] {
  return [...lastRequests(prefix), ...annotationRequests(prefix), ...describingRequests(prefix)]
}

function lastRequests(prefix: string): CompatRequest[] {
  const web01 = 'host=web01,dc=fra'
  const last = (name: string, parameters: string): CompatRequest => ({
    name,
    path: `/api/query/last?${parameters}`,
  })
  const post = (name: string, body: object): CompatRequest => ({
    name,
    path: '/api/query/last',
    body,
  })
  return [
    last('the last point', `timeseries=${prefix}.ints{${web01}}&back_scan=24`),
    last('the last point with names', `timeseries=${prefix}.ints{${web01}}&back_scan=24&resolve`),
    last(
      'two last points',
      `timeseries=${prefix}.ints{${web01}}&timeseries=${prefix}.gap{host=x}&back_scan=24&resolve`,
    ),
    last('the last point of nothing', ''),
    last('the last point of an unknown metric', `timeseries=${prefix}.nope{host=a}&back_scan=1`),
    last('a back_scan that is no number', `timeseries=${prefix}.ints{${web01}}&back_scan=x`),
    post('the last point by POST', {
      queries: [{ metric: `${prefix}.ints`, tags: { host: 'web01', dc: 'fra' } }],
      resolveNames: true,
      backScan: 24,
    }),
    post('the last points of no queries', { queries: [] }),
  ]
}

function annotationRequests(prefix: string): CompatRequest[] {
  const at = DAY + 90 * HOUR
  const note = { startTime: at, description: `${prefix} note`, notes: 'more' }
  const one = (name: string, change: Partial<CompatRequest>): CompatRequest => ({
    name,
    path: '/api/annotation',
    ...change,
  })
  return [
    one('a note that is not there', { path: `/api/annotation?start_time=${at + 7}` }),
    one('a note without a time', { method: 'POST', body: { description: 'x' } }),
    one('a new note', { method: 'POST', body: note }),
    one('the note again', { path: `/api/annotation?start_time=${at}` }),
    one('a part of the note', { method: 'POST', body: { startTime: at, endTime: at + 60 } }),
    one('a note replaced as a whole', { method: 'PUT', body: { startTime: at, notes: 'only' } }),
    one('a note with fields of its own', {
      method: 'POST',
      body: { ...note, startTime: at + 1, custom: { by: 'warden', why: 'zero' } },
    }),
    one('notes in bulk', {
      path: '/api/annotation/bulk',
      method: 'POST',
      body: [
        { ...note, startTime: at + 2 },
        { ...note, startTime: at + 3 },
      ],
    }),
    {
      ...one('no notes in bulk', { path: '/api/annotation/bulk', method: 'POST', body: {} }),
      differs: 'A body of notes that is no list is refused in words.',
    },
    one('global notes of a time', { path: `/api/annotations?start_time=${at}&end_time=${at + 9}` }),
    {
      name: 'global notes with a query',
      path: '/api/query',
      body: {
        start: at - 100 * HOUR,
        end: at + HOUR,
        globalAnnotations: true,
        queries: [{ metric: `${prefix}.gap`, aggregator: 'sum' }],
      },
    },
    {
      name: 'a query that does not ask for global notes',
      path: '/api/query',
      body: {
        start: at - 100 * HOUR,
        end: at + HOUR,
        queries: [{ metric: `${prefix}.gap`, aggregator: 'sum' }],
      },
    },
    ...[at, at + 1, at + 2, at + 3].map((time) =>
      one(`a note taken away, ${time - at}`, {
        path: `/api/annotation?start_time=${time}`,
        method: 'DELETE',
      }),
    ),
    one('the note that was taken away', { path: `/api/annotation?start_time=${at}` }),
  ]
}

function describingRequests(prefix: string): CompatRequest[] {
  const get = (name: string, path: string): CompatRequest => ({ name, path })
  const lookup = (name: string, body: object): CompatRequest => ({
    name,
    path: '/api/search/lookup',
    body: { useMeta: true, limit: 100, ...body },
  })
  return [
    lookup('look up by POST', { metric: `${prefix}.orders` }),
    lookup('look up a tag by POST', {
      metric: `${prefix}.orders`,
      tags: [{ key: 'host', value: 'web01' }],
    }),
    lookup('look up any metric with a tag', { tags: [{ key: 'extra', value: 'yes' }] }),
    {
      ...lookup('look up without meta tables', { metric: `${prefix}.orders`, useMeta: false }),
      differs: 'A look-up lists each series once.',
    },
    { name: 'aggregators by POST', path: '/api/aggregators', method: 'POST', body: '' },
    { name: 'a put by PUT', path: '/api/put', method: 'PUT', body: [] },
    { name: 'a query by PUT', path: '/api/query', method: 'PUT', body: '{}' },
    { name: 'suggest by DELETE', path: '/api/suggest?type=metrics', method: 'DELETE' },
    get('a query in ms without a range', `/api/query?ms&m=sum:${prefix}.ints`),
    get(
      'two aggregators of one metric',
      `/api/query?${range}&m=min:${prefix}.ints&m=max:${prefix}.ints`,
    ),
    {
      name: 'telnet put lines',
      path: '/api/put?details',
      method: 'POST',
      body: `put ${prefix}.lines ${DAY} 1.5 host=a\n`,
      differs: 'Telnet `put` lines, and lines to import as `text/plain`, are taken.',
    },
  ]
}
