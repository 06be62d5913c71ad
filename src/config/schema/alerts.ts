import type { Static } from 'typebox'
import { inhibition, muteTimes, route, routeKeys, silence } from './alert-routes.ts'
import { rule } from './alert-rules.ts'
import { duration, filePath, list, named, optional, section, whole, words } from './fields.ts'

const calendar = section(
  {
    holidays: list(words('A date.', { examples: ['2026-10-01'] }), 'Days off.', { default: [] }),
    workdays: list(words('A date.'), 'Days of a weekend that are worked (make-up workdays).', {
      default: [],
    }),
  },
  'A dated calendar. Saturdays and Sundays are off unless they are in `workdays`.',
)

/** What may stand in an alert file, and under `alerts` of a config. */
export const alertKeys = {
  interval: duration('Time between evaluations where no window became due, 1s to 1h.', {
    default: '10s',
  }),
  staleAfter: duration(
    'Windows that ended longer ago (and two windows ago) are judged while Warden catches up, but no message begins with them.',
    { default: '1d' },
  ),
  history: section(
    {
      keep: duration(
        'Event time for which verdicts and numbers are kept, for comparison and for the API.',
        { default: '35d' },
      ),
      maxSeries: whole('Series per metric that are judged; further ones are counted only.', {
        default: 10_000,
        minimum: 1,
        maximum: 1_000_000,
      }),
    },
    'What rules remember. It is part of the checkpoint.',
    { default: {} },
  ),
  rules: optional(named(rule, 'What is judged, by name. The name is the key of its state.')),
  route: section(
    routeKeys,
    'Who is told, and how often, where none of `routes` matches; what they leave out is taken from here.',
    { default: {} },
  ),
  routes: list(route, 'Tried in order; the first that matches is taken.', { default: [] }),
  inhibit: list(inhibition, 'Alerts about a cause that mute those about its symptoms.', {
    default: [],
  }),
  silences: list(silence, 'Silences that stand in the file; others come by the API.', {
    default: [],
  }),
  times: optional(named(muteTimes, 'Recurring times, by name, for `mute` and `active`.')),
  calendars: optional(named(calendar, 'Holidays, by name.')),
}

export const alerts = section(
  {
    file: optional(
      filePath(
        'File with the keys of this section; changes take effect while Warden runs. Excludes `rules` and the rest here.',
        { examples: ['./alerts.yaml'] },
      ),
    ),
    ...alertKeys,
  },
  'Verdicts, rules and who is told.',
  { default: {} },
)

/** An alert file. */
export const alertFileSchema = section(
  { $schema: optional(words('Schema for editors, in JSON files; not looked at.')), ...alertKeys },
  'Rules and who is told.',
)

/** The alert section, or an alert file, after reading. */
export type AlertsDocument = Static<typeof alertFileSchema> & { readonly file?: string }
export type RuleDocument = NonNullable<AlertsDocument['rules']>[string]
export type RouteDocument = AlertsDocument['routes'][number]
