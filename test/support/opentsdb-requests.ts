import { calculationRequests } from './opentsdb-calculations.ts'
import { moreNameRequests } from './opentsdb-names.ts'
import { DAY, HOUR } from './opentsdb-points.ts'
import { putRequests } from './opentsdb-puts.ts'
import { type CompatRequest, get, post, range } from './opentsdb-request.ts'

export function compatRequests(prefix: string): CompatRequest[] {
  return [
    ...calculationRequests(prefix),
    ...filterRequests(prefix),
    ...timeRequests(prefix),
    ...formatRequests(prefix),
    ...nameRequests(prefix),
    ...moreNameRequests(prefix),
    ...errorRequests(prefix),
    ...putRequests(prefix),
  ]
}

const filterReason = 'A filter that makes no sense is refused by name.'
const filterStatus = 'A filter that makes no sense is a 400 in a GET too.'

function filterRequests(prefix: string): CompatRequest[] {
  const metric = `${prefix}.orders`
  const filter = (type: string, text: string, groupBy: boolean, tagk = 'host'): CompatRequest =>
    post(`filter ${type}(${text}) on ${tagk}, group by ${groupBy}`, {
      metric,
      aggregator: 'sum',
      filters: [{ type, tagk, filter: text, groupBy }],
    })
  return [
    get('a tag', `sum:${metric}{host=web01}`),
    get('two tags', `sum:${metric}{host=web01,dc=fra}`),
    get('any value', `sum:${metric}{host=*}`),
    get('alternatives', `sum:${metric}{host=web01|db01}`),
    get('a pattern', `sum:${metric}{host=web*}`),
    get('empty braces', `sum:${metric}{}`),
    get('a filter that does not group', `sum:${metric}{}{host=wildcard(web*)}`),
    get(
      'a filter that groups and one that does not',
      `sum:${metric}{dc=*}{host=literal_or(web01|db01)}`,
    ),
    get('a regular expression', `sum:${metric}{host=regexp(^web0[12]$)}`),
    get('a tag that some series lack', `sum:${metric}{extra=*}`),
    get('explicit tags', `sum:explicit_tags:${metric}{host=*,dc=*}`),
    get('explicit tags of one', `sum:explicit_tags:${metric}{host=web01,dc=*}`),
    filter('literal_or', 'web01|web02', true),
    filter('literal_or', 'web01|web02', false),
    filter('iliteral_or', 'web03|WEB01', true),
    filter('not_literal_or', 'web01', true),
    filter('not_literal_or', 'web01', false),
    filter('not_literal_or', 'yes', false, 'extra'),
    filter('not_iliteral_or', 'WEB01|web03', true),
    filter('wildcard', 'web*', true),
    filter('wildcard', '*0*', false),
    filter('wildcard', '*01', true),
    filter('wildcard', '*', false, 'extra'),
    filter('iwildcard', 'WEB*', true),
    filter('iwildcard', 'WEB*', false),
    filter('regexp', 'web', true),
    filter('regexp', '[12]$', false),
    post('two filters on one tag', {
      metric,
      aggregator: 'sum',
      filters: [
        { type: 'wildcard', tagk: 'host', filter: 'web*', groupBy: true },
        { type: 'not_literal_or', tagk: 'host', filter: 'web01', groupBy: false },
      ],
    }),
    post('explicit tags in JSON', {
      metric,
      aggregator: 'sum',
      explicitTags: true,
      filters: [
        { type: 'wildcard', tagk: 'host', filter: '*', groupBy: true },
        { type: 'wildcard', tagk: 'dc', filter: '*', groupBy: false },
      ],
    }),
    post('tags in JSON', { metric, aggregator: 'sum', tags: { host: 'web01|web02', dc: 'fra' } }),
    { ...filter('no_such_filter', 'x', true), differs: filterReason },
    { ...filter('regexp', '(', true), differs: filterReason },
    { ...filter('wildcard', 'web01', true), differs: filterReason },
    { ...get('a bad filter by GET', `sum:${metric}{host=regexp(()}`), differs: filterStatus },
    { ...get('an unknown filter by GET', `sum:${metric}{host=foo(x)}`), differs: filterStatus },
    {
      ...get('a pattern with fixed ends', `sum:${metric}{host=wildcard(e*0)}`),
      differs: 'A wildcard matches the whole value.',
    },
  ]
}

function timeRequests(prefix: string): CompatRequest[] {
  const m = `sum:${prefix}.ints{host=web01}`
  return [
    get('times in ms', m, '', `start=${DAY}000&end=${DAY + 7_200}000`),
    get('dates', m, '', 'start=2026/11/20-00:00:00&end=2026/11/20-03:00:00'),
    get('dates without seconds', m, '', 'start=2026/11/20-00:00&end=2026/11/20-03:00'),
    get('dates without a time of day', m, '', 'start=2026/11/20&end=2026/11/21'),
    get('dates with a space', m, '', 'start=2026/11/20%2001:00:00&end=2026/11/20%2003:00:00'),
    get('a dotted time', m, '', `start=${DAY}.000&end=${DAY + 7_200}.500`),
    get('a time with its unit', m, '', `start=${DAY}000ms&end=${DAY + 7_200}000ms`),
    get('years ago', m, '', `start=20y-ago&end=${DAY + HOUR}`),
    get('no start', m, '', `end=${DAY}`),
    get('start after end', m, '', `start=${DAY + 10}&end=${DAY}`),
    get('start is end', m, '', `start=${DAY}&end=${DAY}`),
    get('a text as time', m, '', 'start=abc'),
    get('a negative time', m, '', 'start=-4h'),
    get('a duration without unit', m, '', 'start=4-ago'),
    {
      ...get('a unit in full', m, '', 'start=4hours-ago'),
      differs: 'A unit that OpenTSDB misreads is refused.',
    },
    get('a date of another form', m, '', 'start=2026/11/20-0'),
    post(
      'numbers as times',
      { metric: `${prefix}.ints`, aggregator: 'sum' },
      {
        start: DAY * 1_000,
        end: (DAY + HOUR) * 1_000,
      },
    ),
    post(
      'dates of a zone',
      { metric: `${prefix}.ints`, aggregator: 'sum' },
      {
        start: '2026/11/20-08:00:00',
        end: '2026/11/20-10:00:00',
        timezone: 'Asia/Shanghai',
      },
    ),
    post(
      'an unknown zone',
      { metric: `${prefix}.ints`, aggregator: 'sum' },
      {
        start: '2026/11/20-08:00:00',
        timezone: 'Asia/Nowhere',
      },
    ),
    get('nothing in range, but in its hour', m, '', `start=${DAY + 10}&end=${DAY + 20}`),
    get('nothing in range', m, '', `start=${DAY - 90_000}&end=${DAY - 80_000}`),
  ]
}

function formatRequests(prefix: string): CompatRequest[] {
  const ms = `none:${prefix}.ms`
  const short = `start=${DAY}&end=${DAY + 60}`
  return [
    get('milliseconds', ms, '&ms', short),
    get('milliseconds as seconds', ms, '', short),
    get('milliseconds as arrays', ms, '&ms&arrays', short),
    get('milliseconds summed', `sum:${prefix}.ms`, '&ms', short),
    get('milliseconds in intervals', `sum:500ms-sum:${prefix}.ms`, '&ms', short),
    get('arrays', `sum:${prefix}.ints`, '&arrays'),
    {
      ...post(
        'the query shown',
        { metric: `${prefix}.odd`, aggregator: 'sum' },
        { showQuery: true },
      ),
      differs: 'The query shown lacks fields of rollups and histograms.',
    },
    get('two queries', `sum:${prefix}.ints`, `&m=max:${prefix}.odd`),
    get('no annotations', `sum:${prefix}.ints`, '&no_annotations'),
    post('msResolution', { metric: `${prefix}.ms`, aggregator: 'none' }, { msResolution: true }),
    post(
      'a field nobody knows',
      { metric: `${prefix}.odd`, aggregator: 'sum', foo: 1 },
      { bar: 2 },
    ),
    {
      name: 'arrays in the address of a POST',
      path: '/api/query?arrays=true',
      body: {
        start: DAY,
        end: DAY + HOUR,
        queries: [{ metric: `${prefix}.odd`, aggregator: 'sum' }],
      },
    },
  ]
}

function nameRequests(prefix: string): CompatRequest[] {
  const at = (name: string, path: string): CompatRequest => ({ name, path })
  return [
    at('suggest metrics', `/api/suggest?type=metrics&q=${prefix}.o`),
    at('suggest two metrics', `/api/suggest?type=metrics&q=${prefix}&max=2`),
    at('suggest in the wrong case', `/api/suggest?type=metrics&q=${prefix.toUpperCase()}`),
    at('suggest tag keys', '/api/suggest?type=tagk&q=ext'),
    at('suggest tag values', '/api/suggest?type=tagv&q=web0'),
    {
      name: 'suggest by POST',
      path: '/api/suggest',
      body: { type: 'metrics', q: `${prefix}.i`, max: 5 },
    },
    at('suggest an unknown type', '/api/suggest?type=foo'),
    at('suggest without a type', '/api/suggest'),
    at('suggest with a wrong max', '/api/suggest?type=metrics&max=abc'),
    at('look up a metric', `/api/search/lookup?m=${prefix}.orders`),
    at('look up a tag', `/api/search/lookup?m=${prefix}.orders{host=web01}`),
    at('look up any value', `/api/search/lookup?m=${prefix}.orders{host=*,dc=lax}`),
    at('look up a limited number', `/api/search/lookup?m=${prefix}.orders&limit=1000`),
    at('look up an unknown metric', `/api/search/lookup?m=${prefix}.nope`),
    at('look up nothing', '/api/search/lookup'),
    at('aggregators', '/api/aggregators'),
  ]
}

function errorRequests(prefix: string): CompatRequest[] {
  return [
    get('an unknown metric', `sum:${prefix}.nope`),
    get('an unknown metric among known ones', `sum:${prefix}.ints`, `&m=sum:${prefix}.nope`),
    get('an unknown tag key', `sum:${prefix}.ints{nope=*}`),
    get('an unknown tag value', `sum:${prefix}.ints{host=${prefix}nope}`),
    get('an unknown alternative', `sum:${prefix}.ints{host=web01|${prefix}nope}`),
    get('an unknown aggregator', `foo:${prefix}.ints`),
    get('too few parts', `${prefix}.ints`),
    { name: 'no query', path: `/api/query?${range}` },
    { name: 'no body', path: '/api/query', method: 'POST', body: '' },
    { name: 'no JSON', path: '/api/query', method: 'POST', body: '{' },
    post('no metric', { aggregator: 'sum' }),
    {
      ...post('JSON without queries', {}, { queries: undefined }),
      differs: 'A query without sub-queries is a 400.',
    },
    post('no aggregator', { metric: `${prefix}.ints` }),
    { name: 'delete', path: `/api/query?${range}&m=sum:${prefix}.ints`, method: 'DELETE' },
  ]
}
