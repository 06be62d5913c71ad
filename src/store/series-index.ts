import { NameDictionary, type NameKind } from './name-dictionary.ts'
import type { TagFilter } from './query/tag-filter.ts'
import { RequestRefused } from './request-refused.ts'

/** A metric with one set of tags. */
export interface Series {
  /** From 1 on, in order of first sight. */
  readonly id: number
  readonly metric: string
  readonly tags: ReadonlyMap<string, string>
  /** Ids of metric, key, value, key, value, …: keys in order of their ids. */
  readonly uids: readonly number[]
  /** `uids` in hexadecimal, six digits each: OpenTSDB's name of a series. */
  readonly tsuid: string
}

interface MetricSeries {
  all: Series[]
  /** Tag key → value → series. */
  readonly byTag: Map<string, Map<string, Series[]>>
}

/** All names and series of a store, in memory: some 500 bytes a series. Names are never forgotten. */
export class SeriesIndex {
  readonly names: Readonly<Record<NameKind, NameDictionary>> = {
    metrics: new NameDictionary(),
    tagk: new NameDictionary(),
    tagv: new NameDictionary(),
  }
  readonly #byKey = new Map<string, Series>()
  readonly #byTsuid = new Map<string, Series>()
  readonly #byMetric = new Map<string, MetricSeries>()
  #series: Series[] = []
  /** Series that are not known to be on disk. */
  readonly unsaved = new Set<Series>()
  #nextId = 1

  get size(): number {
    return this.#series.length
  }

  /** A series as it was read from disk; its names are restored before. */
  restore(id: number, uids: readonly number[]): void {
    const tags = new Map<string, string>()
    for (let at = 1; at + 1 < uids.length; at += 2) {
      tags.set(this.names.tagk.nameOf(uids[at] ?? 0), this.names.tagv.nameOf(uids[at + 1] ?? 0))
    }
    this.#add(id, this.names.metrics.nameOf(uids[0] ?? 0), tags, uids)
  }

  find(metric: string, tags: Iterable<readonly [string, string]>): Series | undefined {
    return this.#byKey.get(seriesKey(metric, tags))
  }

  findByTsuid(tsuid: string): Series | undefined {
    return this.#byTsuid.get(tsuid.toUpperCase())
  }

  /** Forgets series; one that comes back later gets a new id. */
  remove(gone: ReadonlySet<Series>): void {
    if (gone.size === 0) return
    const stays = (one: Series): boolean => !gone.has(one)
    this.#series = this.#series.filter(stays)
    for (const metric of new Set([...gone].map((one) => one.metric))) {
      const ofMetric = this.#byMetric.get(metric)
      if (ofMetric === undefined) continue
      ofMetric.all = ofMetric.all.filter(stays)
      for (const byValue of ofMetric.byTag.values()) {
        for (const [value, series] of byValue) byValue.set(value, series.filter(stays))
      }
    }
    for (const one of gone) {
      this.#byKey.delete(seriesKey(one.metric, one.tags))
      this.#byTsuid.delete(one.tsuid)
      this.unsaved.delete(one)
    }
  }

  /** The series of metric and tags, a new one when it was never seen. */
  assign(metric: string, tags: Readonly<Record<string, string>>): Series {
    const pairs = Object.entries(tags)
    const known = this.find(metric, pairs)
    if (known !== undefined) return known
    const metricUid = this.names.metrics.assign(metric)
    const uids = pairs
      .map(([key, value]) => [this.names.tagk.assign(key), this.names.tagv.assign(value)] as const)
      .sort((left, right) => left[0] - right[0])
      .flat()
    const series = this.#add(this.#nextId, metric, new Map(pairs), [metricUid, ...uids])
    this.unsaved.add(series)
    return series
  }

  /** All series of a metric; `[]` when there is none. */
  ofMetric(metric: string): readonly Series[] {
    return this.#byMetric.get(metric)?.all ?? []
  }

  all(): readonly Series[] {
    return this.#series
  }

  /**
   * Series of a metric that pass all filters, in order of their uids. Several `literal_or` filters of one tag add up, as in OpenTSDB.
   * @param explicitTags only series that have no tags but those of the filters
   * @throws RequestRefused when the metric, a tag key or a literal is unknown to the store
   */
  select(metric: string, filters: readonly TagFilter[], explicitTags: boolean): Series[] {
    this.#require('metrics', metric)
    for (const filter of filters) {
      for (const literal of filter.literals ?? []) this.#require('tagv', literal)
      this.#require('tagk', filter.tagk)
    }
    const keys = new Set(filters.map((filter) => filter.tagk))
    const tests = [...keys].map((key) => valueTest(key, filters))
    const chosen = this.#candidates(metric, filters).filter(
      (series) =>
        (!explicitTags || filters.length === 0 || series.tags.size === keys.size) &&
        tests.every((test) => test(series)),
    )
    return chosen.sort(byUids)
  }

  /** Series among which those are that pass the filters: the shortest list that a literal filter gives. */
  #candidates(metric: string, filters: readonly TagFilter[]): readonly Series[] {
    const ofMetric = this.#byMetric.get(metric)
    if (ofMetric === undefined) return []
    let best: readonly Series[] = ofMetric.all
    for (const { tagk } of filters) {
      const literals = filters.flatMap((filter) =>
        filter.tagk === tagk && filter.literals !== undefined ? filter.literals : [],
      )
      if (literals.length === 0) continue
      const byValue = ofMetric.byTag.get(tagk)
      const found = [...new Set(literals)].flatMap((literal) => byValue?.get(literal) ?? [])
      if (found.length < best.length) best = found
    }
    return best
  }

  #require(kind: NameKind, name: string): void {
    if (this.names[kind].idOf(name) === undefined) {
      throw new RequestRefused(400, `No such name for '${kind}': '${name}'`)
    }
  }

  #add(
    id: number,
    metric: string,
    tags: ReadonlyMap<string, string>,
    uids: readonly number[],
  ): Series {
    const tsuid = uids.map((uid) => uid.toString(16).toUpperCase().padStart(6, '0')).join('')
    const series: Series = { id, metric, tags, uids, tsuid }
    this.#nextId = Math.max(this.#nextId, id + 1)
    this.#series.push(series)
    this.#byKey.set(seriesKey(metric, tags), series)
    this.#byTsuid.set(tsuid, series)
    const ofMetric = entry(this.#byMetric, metric, () => ({ all: [], byTag: new Map() }))
    ofMetric.all.push(series)
    for (const [key, value] of tags) {
      const byValue = entry(ofMetric.byTag, key, () => new Map<string, Series[]>())
      entry(byValue, value, () => []).push(series)
    }
    return series
  }
}

function valueTest(key: string, filters: readonly TagFilter[]): (series: Series) => boolean {
  const own = filters.filter((filter) => filter.tagk === key)
  const literal = own.filter((filter) => filter.literals !== undefined)
  const others = own.filter((filter) => filter.literals === undefined)
  return (series) => {
    const value = series.tags.get(key)
    if (value === undefined) return false
    if (literal.length > 0 && !literal.some((filter) => filter.matches(value))) return false
    return others.every((filter) => filter.matches(value))
  }
}

/** Orders as OpenTSDB's row keys do. */
function byUids(left: Series, right: Series): number {
  return left.tsuid < right.tsuid ? -1 : left.tsuid > right.tsuid ? 1 : 0
}

/** One text per metric and tags, whatever order the tags are in and whatever they hold. */
function seriesKey(metric: string, tags: Iterable<readonly [string, string]>): string {
  const pairs = [...tags].sort(([left], [right]) => (left < right ? -1 : left > right ? 1 : 0))
  let key = `${metric.length}:${metric}`
  for (const [name, value] of pairs) key += `${name.length}:${name}${value.length}:${value}`
  return key
}

function entry<K, V>(map: Map<K, V>, key: K, create: () => V): V {
  const known = map.get(key)
  if (known !== undefined) return known
  const created = create()
  map.set(key, created)
  return created
}
