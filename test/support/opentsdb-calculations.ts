import { DAY, HOUR } from './opentsdb-points.ts'
import { type CompatRequest, get, post } from './opentsdb-request.ts'

const aggregators = [
  'sum',
  'avg',
  'min',
  'max',
  'count',
  'zimsum',
  'mimmin',
  'mimmax',
  'dev',
  'median',
  'first',
  'last',
  'diff',
  'mult',
  'squareSum',
  'pfsum',
  'p50',
  'p75',
  'p90',
  'p95',
  'p99',
  'p999',
  ...['50', '75', '90', '95', '99', '999'].flatMap((one) => [`ep${one}r3`, `ep${one}r7`]),
  'none',
]

/** Aggregators, intervals and rates. */
export function calculationRequests(prefix: string): CompatRequest[] {
  return [...aggregatorRequests(prefix), ...downsampleRequests(prefix), ...rateRequests(prefix)]
}

function aggregatorRequests(prefix: string): CompatRequest[] {
  return aggregators.flatMap((aggregator) => [
    get(`${aggregator} of series with gaps`, `${aggregator}:${prefix}.orders`),
    get(`${aggregator} of integers`, `${aggregator}:${prefix}.ints`),
    get(`${aggregator} at an odd timestamp`, `${aggregator}:${prefix}.odd`),
    get(`${aggregator} of integers at an odd timestamp`, `${aggregator}:${prefix}.oddint`),
  ])
}

function downsampleRequests(prefix: string): CompatRequest[] {
  const specs = [
    '1h-sum',
    '2h-avg',
    '30m-max-none',
    '2h-count-zero',
    '3h-sum-nan',
    '1h-avg-null',
    '0all-sum',
    '0all-avg-zero',
    '7m-min',
    '7m-sum-zero',
    '1d-sum',
    '90m-dev-zero',
    '1h-first',
    '1h-last',
    '2h-p95',
    '2h-median',
    '10s-sum',
    '1w-sum',
  ]
  const series = specs.flatMap((spec) => [
    get(`${spec} of a group`, `sum:${spec}:${prefix}.orders{dc=*}`),
    get(`${spec} by series`, `none:${spec}:${prefix}.gap`),
  ])
  const between = `start=${DAY + 4_000}&end=${DAY + 30_500}`
  return [
    ...series,
    get('an interval that the start cuts', `sum:2h-sum:${prefix}.orders`, '', between),
    get('filled intervals that start and end cut', `sum:2h-sum-zero:${prefix}.orders`, '', between),
    get('all of a range inside of a day', `sum:0all-count:${prefix}.orders`, '', between),
    get('interpolation inside of a range', `sum:${prefix}.orders`, '', between),
    get('an unknown fill', `sum:1h-sum-foo:${prefix}.orders`),
    get('an unknown unit', `sum:1q-sum:${prefix}.orders`),
    get('an unknown function', `sum:1h-foo:${prefix}.orders`),
    get('none as a function', `sum:1h-none:${prefix}.orders`),
    get('an interval of nothing', `sum:0h-sum:${prefix}.orders`),
    post('a downsample in JSON', {
      metric: `${prefix}.orders`,
      aggregator: 'avg',
      downsample: '1h-sum-zero',
      tags: { host: '*' },
    }),
    post('a calendar day', {
      metric: `${prefix}.orders`,
      aggregator: 'sum',
      downsample: '1dc-sum',
    }),
    post(
      'a calendar day of a zone',
      { metric: `${prefix}.orders`, aggregator: 'sum', downsample: '1dc-sum' },
      { timezone: 'Asia/Shanghai', start: DAY - 24 * HOUR, end: DAY + 30 * HOUR },
    ),
  ]
}

function rateRequests(prefix: string): CompatRequest[] {
  const metric = `${prefix}.counter`
  return [
    get('a rate', `none:rate:${metric}`),
    get('a rate of a group', `sum:rate:${metric}`),
    get('a rate of averages', `avg:rate:${metric}`),
    get('a rate of a counter', `none:rate{counter,100}:${metric}`),
    get('a rate of a counter without its maximum', `none:rate{counter}:${metric}`),
    get('a rate of a counter with a reset value', `none:rate{counter,100,1}:${metric}`),
    get('a rate without resets', `none:rate{dropcounter}:${metric}`),
    get('a rate of intervals', `sum:1h-avg:rate:${metric}`),
    get('a rate of filled intervals', `sum:30m-avg-zero:rate:${metric}`),
    get('a counter with a wrong maximum', `sum:rate{counter,abc}:${metric}`),
    post('a counter in JSON', {
      metric,
      aggregator: 'sum',
      rate: true,
      rateOptions: { counter: true, counterMax: 100, resetValue: 0 },
    }),
    post('dropped resets in JSON', {
      metric,
      aggregator: 'none',
      rate: true,
      rateOptions: { counter: true, dropResets: true },
    }),
  ]
}
