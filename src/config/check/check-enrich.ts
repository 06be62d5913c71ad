import type { Condition, FieldPath } from '../../core/plan.ts'
import { formatDuration } from '../../core/time.ts'
import { pathText } from '../condition-text.ts'
import type { Locator, Place } from '../read/locator.ts'
import { suggestion } from '../read/suggest.ts'
import { type EnrichDocument, formatOf } from '../resolve-enrich.ts'
import type { ConfigDocument, MetricDocument } from '../schema.ts'

type DimensionDocument = Extract<MetricDocument['dimensions'][number], { readonly name: string }>

/** Checks the tables that dimensions are looked up in. */
export function checkEnrich(document: Partial<ConfigDocument>, locator: Locator): void {
  for (const [name, table] of Object.entries(document.enrich ?? {})) {
    const at: Place = ['enrich', name]
    if (table.type === 'file') checkFile(at, table, locator)
    else checkKeyed(at, table, locator)
  }
}

/** Checks the dimensions of a metric that are looked up. `tables`: names of those in the file; undefined where there are none to name. */
export function checkLookups(
  name: string,
  metric: MetricDocument,
  tables: readonly string[] | undefined,
  locator: Locator,
): void {
  for (const [index, dimension] of metric.dimensions.entries()) {
    if (!('name' in dimension) || dimension.lookup === undefined) continue
    const at: Place = ['metrics', name, 'dimensions', index]
    checkLookup(at, dimension, dimension.lookup, tables, locator)
    const { size, slide } = metric.window
    if (slide !== undefined && slide !== size) {
      const what = `${dimension.name} is looked up, and its value holds for one window; sliding windows share their events`
      locator.value(at, what, 'leave slide out, or count by the key and look it up later')
    }
    checkFilter(['metrics', name, 'where'], dimension, metric, locator)
  }
}

function checkLookup(
  at: Place,
  dimension: DimensionDocument,
  { from, key }: NonNullable<DimensionDocument['lookup']>,
  tables: readonly string[] | undefined,
  locator: Locator,
): void {
  if (dimension.path !== undefined) {
    const right = `leave path out: the field is lookup.key`
    locator.value([...at, 'path'], `${dimension.name} is looked up by its key`, right)
  }
  if (dimension.name === 'outcome' && samePath(key, ['outcome'])) {
    const right = 'choose another name: it is kept for the outcome'
    locator.value([...at, 'name'], 'the outcome is not looked up', right)
  }
  if (tables === undefined || tables.includes(from)) return
  const right =
    tables.length === 0
      ? `add it: enrich: { ${from}: { type: file, path: ${from}.csv } }`
      : suggestion(from, tables)
  locator.value([...at, 'lookup', 'from'], `table ${from} is not known`, right)
}

/** A filter sees the event as it came: a value that is looked up is not there yet. */
function checkFilter(
  at: Place,
  dimension: DimensionDocument,
  metric: MetricDocument,
  locator: Locator,
): void {
  const key = dimension.lookup?.key ?? []
  if (metric.where === undefined || samePath(key, [dimension.name])) return
  const reads = pathsOf(metric.where.condition).some((path) => samePath(path, [dimension.name]))
  if (!reads) return
  const what = `filters come before look-ups, so ${dimension.name} is not known yet`
  const right = `filter by the key (${pathText(key)}), or by the series when the points are read`
  locator.value(at, what, right)
}

const samePath = (a: FieldPath, b: FieldPath): boolean =>
  a.length === b.length && a.every((one, index) => one === b[index])

function pathsOf(condition: Condition): readonly FieldPath[] {
  switch (condition.kind) {
    case 'and':
    case 'or':
      return condition.of.flatMap(pathsOf)
    case 'not':
      return pathsOf(condition.of)
    default:
      return [condition.path]
  }
}

function checkFile(
  at: Place,
  table: Extract<EnrichDocument, { readonly type: 'file' }>,
  locator: Locator,
): void {
  if (table.format === undefined && formatOf(table.path) === undefined) {
    const what = 'the end of the name does not say what is in the file'
    locator.value([...at, 'path'], what, 'add format: csv, json or yaml')
  }
  if (table.refresh < 100) {
    const what = `a look every ${formatDuration(table.refresh)}`
    locator.value([...at, 'refresh'], what, 'write at least 100ms')
  }
}

function checkKeyed(
  at: Place,
  table: Exclude<EnrichDocument, { readonly type: 'file' }>,
  locator: Locator,
): void {
  const { refresh, expire, timeout } = table
  if (refresh < 1_000) {
    const what = `a refresh every ${formatDuration(refresh)}`
    locator.value([...at, 'refresh'], what, 'write at least 1s')
  } else if (expire < refresh) {
    const what = `values would expire after ${formatDuration(expire)}, before they are refreshed`
    locator.value([...at, 'expire'], what, `write at least ${formatDuration(refresh)}`)
  }
  if (timeout < 10 || timeout > 60_000) {
    const what = `a timeout of ${formatDuration(timeout)}`
    locator.value([...at, 'timeout'], what, 'allowed are 10ms to 1m')
  }
  if (table.type === 'redis' && table.hash !== undefined && table.prefix !== undefined) {
    const right = 'keep hash for one hash with all keys, or prefix for a Redis key each'
    locator.value([...at, 'prefix'], 'there is a hash already', right)
  }
}
