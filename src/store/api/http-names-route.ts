import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { NameKind } from '../name-dictionary.ts'
import type { PointStore } from '../point-store.ts'
import { type MetricPattern, parseMetricPattern } from '../query/metric-expression.ts'
import { count, flag, isJsonObject, objects, text, texts, unparsable } from '../query/query-json.ts'
import { RequestRefused } from '../request-refused.ts'
import type { Series } from '../series-index.ts'
import {
  bodyJson,
  has,
  numberParameter,
  parameter,
  parameters,
  replyJson,
  required,
  route,
  type StoreApiContext,
} from './http-exchange.ts'

const DEFAULT_LIMIT = 25
const HOUR_MS = 3_600_000

const suggestKinds: ReadonlyMap<string, NameKind> = new Map([
  ['metrics', 'metrics'],
  ['tagk', 'tagk'],
  ['tagv', 'tagv'],
])

/** /api/suggest, /api/search/lookup and /api/query/last: what names and series there are. */
export function registerNames(server: FastifyInstance, context: StoreApiContext): void {
  const { store, clock, limits } = context
  const json = (request: FastifyRequest): Promise<unknown> =>
    bodyJson(request, limits.inflatedBytes)

  route(server, '/api/suggest', {
    GET: async (request, reply) => {
      const type = required(request, 'type')
      const max = numberParameter(request, 'max', "Unable to parse 'max' as a number")
      return replyJson(reply, 200, suggestion(store, type, parameter(request, 'q') ?? '', max))
    },
    POST: async (request, reply) => {
      const body = await json(request)
      if (!isJsonObject(body)) throw unparsable('a suggestion is asked for by an object')
      const type = text(body, 'type')
      if (!type) throw new RequestRefused(400, "Missing 'type' parameter")
      return replyJson(
        reply,
        200,
        suggestion(store, type, text(body, 'q') ?? '', count(body, 'max')),
      )
    },
  })

  route(server, '/api/search/lookup', {
    GET: async (request, reply) => {
      const limit = numberParameter(request, 'limit', "Unable to convert 'limit' to a valid number")
      const pattern = parseMetricPattern(required(request, 'm'))
      return replyJson(reply, 200, lookupAnswer(store, pattern, limit))
    },
    POST: async (request, reply) => {
      const body = await json(request)
      if (!isJsonObject(body)) throw unparsable('a lookup is an object')
      const metric = text(body, 'metric')
      const tags = objects(body, 'tags').map(
        (tag) => [anyAsUndefined(text(tag, 'key')), anyAsUndefined(text(tag, 'value'))] as const,
      )
      const pattern = { metric: anyAsUndefined(metric), tags }
      const showsTags = body.tags !== undefined && body.tags !== null
      return replyJson(reply, 200, lookupAnswer(store, pattern, count(body, 'limit'), showsTags))
    },
  })

  route(server, '/api/query/last', {
    GET: async (request, reply) => {
      const hours =
        numberParameter(request, 'back_scan', 'Unable to parse back_scan parameter') ?? 0
      const series = [
        ...parameters(request, 'timeseries').flatMap((one) =>
          exactSeries(store, parseMetricPattern(one)),
        ),
        ...parameters(request, 'tsuids').flatMap((list) => seriesOfTsuids(store, list.split(','))),
      ]
      if (!has(request, 'timeseries') && !has(request, 'tsuids')) {
        throw new RequestRefused(400, 'Missing sub queries')
      }
      const fromMs = hours > 0 ? clock.now() - hours * HOUR_MS : 0
      return replyJson(reply, 200, lastAnswer(store, series, fromMs, has(request, 'resolve')))
    },
    POST: async (request, reply) => {
      const body = await json(request)
      if (!isJsonObject(body)) throw unparsable('a query of last points is an object')
      const queries = objects(body, 'queries')
      if (queries.length === 0) throw new RequestRefused(400, 'Missing sub queries')
      const series = queries.flatMap((query) => {
        const tsuids = texts(query, 'tsuids')
        if (tsuids.length > 0) return seriesOfTsuids(store, tsuids)
        const tags = isJsonObject(query.tags) ? query.tags : {}
        const pairs = Object.keys(tags).map((key) => [key, text(tags, key)] as const)
        return exactSeries(store, { metric: text(query, 'metric'), tags: pairs })
      })
      const hours = count(body, 'backScan') ?? 0
      const fromMs = hours > 0 ? clock.now() - hours * HOUR_MS : 0
      return replyJson(reply, 200, lastAnswer(store, series, fromMs, flag(body, 'resolveNames')))
    },
  })
}

const anyAsUndefined = (name: string | undefined): string | undefined =>
  name === undefined || name === '' || name === '*' ? undefined : name

function suggestion(
  store: PointStore,
  type: string,
  prefix: string,
  max: number | undefined,
): string {
  const kind = suggestKinds.get(type)
  if (kind === undefined) throw new RequestRefused(400, `Invalid 'type' parameter:${type}`)
  const limit = max !== undefined && max > 0 ? max : DEFAULT_LIMIT
  return JSON.stringify(store.index.names[kind].startingWith(prefix, limit))
}

function lookupAnswer(
  store: PointStore,
  pattern: MetricPattern,
  limit: number | undefined,
  showsTags = true,
): string {
  if (pattern.metric === undefined && pattern.tags.length === 0) {
    throw new RequestRefused(400, 'Missing metric and tags. Please supply at least one value.')
  }
  requireNames(store, pattern, 404)
  const wanted = limit ?? DEFAULT_LIMIT
  const found: Series[] = []
  const among =
    pattern.metric === undefined ? store.index.all() : store.index.ofMetric(pattern.metric)
  for (const series of among) {
    if (wanted > 0 && found.length >= wanted) break
    if (matchesPattern(series, pattern)) found.push(series)
  }
  return JSON.stringify({
    type: 'LOOKUP',
    metric: pattern.metric ?? '*',
    ...(showsTags
      ? { tags: pattern.tags.map(([key, value]) => ({ key: key ?? '*', value: value ?? '*' })) }
      : {}),
    limit: wanted,
    time: 0,
    results: found.map(({ tsuid, metric, tags }) => ({
      tsuid,
      metric,
      tags: Object.fromEntries(tags),
    })),
    startIndex: 0,
    totalResults: found.length,
  })
}

/** Pairs of one key are alternatives; different keys must all match. A pair without a key matches any tag with the value. */
function matchesPattern(series: Series, pattern: MetricPattern): boolean {
  return pattern.tags.every(([key, value]) => {
    if (key === undefined) return value === undefined || [...series.tags.values()].includes(value)
    const own = series.tags.get(key)
    return (
      own !== undefined &&
      pattern.tags.some(
        ([otherKey, other]) => otherKey === key && (other === undefined || other === own),
      )
    )
  })
}

/** @throws RequestRefused when a name of the pattern is unknown to the store */
function requireNames(store: PointStore, pattern: MetricPattern, status: 400 | 404): void {
  const require = (kind: NameKind, name: string | undefined): void => {
    if (name === undefined || store.index.names[kind].idOf(name) !== undefined) return
    const reason = `No such name for '${kind}': '${name}'`
    if (status === 400) throw new RequestRefused(400, reason)
    throw new RequestRefused(404, 'Unable to resolve one or more UIDs', reason)
  }
  require('metrics', pattern.metric)
  for (const [key, value] of pattern.tags) {
    require('tagk', key)
    require('tagv', value)
  }
}

function exactSeries(store: PointStore, pattern: MetricPattern): Series[] {
  if (pattern.metric === undefined) throw new RequestRefused(400, 'The metric cannot be empty')
  requireNames(store, pattern, 400)
  return store.index.ofMetric(pattern.metric).filter((series) => matchesPattern(series, pattern))
}

function seriesOfTsuids(store: PointStore, tsuids: readonly string[]): Series[] {
  return tsuids.flatMap((tsuid) => store.index.findByTsuid(tsuid.trim()) ?? [])
}

function lastAnswer(
  store: PointStore,
  series: readonly Series[],
  fromMs: number,
  resolve: boolean,
): string {
  const answers = series.flatMap((one) => {
    const last = store.lastPoint(one.id, fromMs)
    if (last === undefined) return []
    const names = resolve ? { metric: one.metric, tags: Object.fromEntries(one.tags) } : {}
    const digits = String(last.value)
    const value = last.integer || /[.e]/.test(digits) ? digits : `${digits}.0`
    return [{ ...names, timestamp: last.timeMs, value, tsuid: one.tsuid }]
  })
  return JSON.stringify(answers)
}
