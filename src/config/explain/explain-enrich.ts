import type { FieldPath, LookupPlan } from '../../core/plan.ts'
import { formatDuration } from '../../core/time.ts'
import { pathText } from '../condition-text.ts'
import type { EnrichConfig } from '../enrich-config.ts'
import { row } from './words.ts'

/** A dimension that is looked up. */
export function lookupText(
  name: string,
  key: FieldPath,
  missing: string | undefined,
  { from, field, unknown }: LookupPlan,
): string {
  const column = field === name ? '' : `.${field}`
  const standIn = missing === undefined ? '' : `, missing: ${missing}`
  return `${name} from ${from}${column} by ${pathText(key)} (else ${unknown}${standIn})`
}

/** Where entries come from, how old they may be, and what an outage does. */
export function explainTable(table: EnrichConfig): string[] {
  return [
    `table ${table.name}: ${table.type}`,
    ...origin(table),
    ...row('refreshed', refreshed(table)),
    ...row(
      'while away',
      table.onOutage === 'wait'
        ? 'new keys wait, and with them reading'
        : 'new keys are unknown in their window',
    ),
  ]
}

function origin(table: EnrichConfig): string[] {
  if (table.type === 'file') {
    const { path, format, key } = table
    return row('file', `${path} (${format}${key === undefined ? '' : `, key ${key}`})`)
  }
  const levels = `memory (${table.cacheKeys} keys)`
  if (table.type === 'redis') {
    const { layout, server } = table
    const where = layout.kind === 'hash' ? `hash ${layout.hash}` : `keys ${layout.prefix}…`
    return [...row('redis', `${server.url}, ${where}`), ...row('levels', `${levels} → Redis`)]
  }
  const { url, cache } = table
  const between = cache === undefined ? '' : ` → Redis ${cache.url}`
  return [...row('url', url), ...row('levels', `${levels}${between} → API`)]
}

function refreshed(table: EnrichConfig): string {
  const every = formatDuration(table.refreshMs)
  if (table.type === 'file') return `when it has changed, looked at every ${every}`
  return `every ${every} what was used since; older than ${formatDuration(table.expireMs)} is not used`
}
