import Type, { type TProperties } from 'typebox'
import { matchers } from './alert-routes.ts'
import {
  decimal,
  duration,
  either,
  flag,
  instant,
  list,
  oneOf,
  optional,
  section,
  tag,
  timezone,
  whole,
  words,
} from './fields.ts'

const any = { minimum: -1e15, maximum: 1e15 }
const percent = { minimum: 0, maximum: 1e6 }

const bounds = (what: string) =>
  optional(
    section(
      {
        min: optional(decimal('Least value that is fine.', any)),
        max: optional(decimal('Largest value that is fine.', any)),
      },
      what,
    ),
  )

const change = (what: string) =>
  optional(
    section(
      {
        drop: optional(decimal('Fall in percent that is still fine.', percent)),
        rise: optional(decimal('Rise in percent that is still fine.', percent)),
      },
      what,
    ),
  )

/** Two severities, and what ends them. */
const levels = (of: typeof bounds | typeof change) => ({
  warn: of('What is fine; outside it the alert is a warning.'),
  crit: of('What is not critical; outside it the alert is critical.'),
  clear: of('What ends a firing alert (hysteresis). Left out: the bounds that it broke.'),
})

const severity = oneOf(['info', 'warn', 'crit'], 'How bad it is.', { default: 'crit' })

const settled = {
  for: duration(
    'How long it must be bad: complete windows in a row that add up to it. Windows that cannot be judged neither count nor interrupt.',
    { default: '0s' },
  ),
  forWindows: whole('The same as a number of windows; the larger one counts.', {
    default: 1,
    minimum: 1,
    maximum: 10_000,
  }),
  keepFiring: duration(
    'How long it must be good before the alert ends: complete windows in a row that add up to it.',
    { default: '0s' },
  ),
  keepFiringWindows: whole('The same as a number of windows; the larger one counts.', {
    default: 1,
    minimum: 1,
    maximum: 10_000,
  }),
}

const minVolume = whole(
  'Least number of events behind a judgement; with fewer the window is not judged.',
  { default: 0, minimum: 0, maximum: 1_000_000_000 },
)
const floor = decimal('Smallest absolute difference that counts.', {
  default: 0,
  minimum: 0,
  maximum: 1e15,
})

const common = {
  team: optional(words('Who owns it: a label for routes and groups.')),
  labels: Type.Record(Type.String(), words('A text.'), {
    description: 'Labels of its own, for routes, silences and groups.',
    default: {},
  }),
  annotations: Type.Record(Type.String(), words('A text.'), {
    description: 'Texts for the message: `summary`, `runbook`, …',
    default: {},
  }),
  enabled: flag('Whether it is judged.', { default: true }),
  maxWait: duration(
    'A rule that could not be judged for so long after its window was due says so, once.',
    { default: '30m' },
  ),
  dependsOn: list(words('Name of a rule.'), 'While one of them fires, this one is not evaluated.', {
    default: [],
  }),
  mute: list(words('Name of one of `times`.'), 'Times in which it says nothing.', { default: [] }),
  active: list(words('Name of one of `times`.'), 'Times outside which it says nothing.', {
    default: [],
  }),
}

const overridable = (levelsOf: TProperties, rest: TProperties) =>
  list(
    section(
      {
        match: matchers('Series that it is for.'),
        enabled: optional(flag('Whether they are judged.')),
        ...levelsOf,
        ...Object.fromEntries(
          Object.entries({ ...settled, ...rest }).map(([key, one]) => {
            const { default: _, ...bare } = one as { readonly default?: unknown }
            return [key, optional(bare as typeof one)]
          }),
        ),
      },
      'Other settings for some series.',
    ),
    'Other settings for some series; the first that matches counts.',
    { default: [] },
  )

const windowed = {
  metric: words('Name of the metric.'),
  aggregate: optional(words('Aggregate that is judged. Left out: the first of the metric.')),
  match: matchers('Series that are judged, by tag. Left out: all.', { default: {} }),
  requireWritten: flag('Wait until every sink has the window.', { default: false }),
  evaluationDelay: optional(duration('Instead of the metric’s.')),
  ...settled,
  ...common,
}

const kind = <T extends string, P extends TProperties>(word: T, what: string, keys: P) =>
  section({ kind: tag(word, what), ...keys }, what)

const zone = timezone('IANA zone that days and hours are of.', { default: 'Asia/Shanghai' })

const zero = kind('zero', 'A window is complete, its source was alive, and there was no event.', {
  severity,
  ...windowed,
  overrides: overridable({}, { severity }),
})

const threshold = kind('threshold', 'A number is outside its bounds.', {
  ...levels(bounds),
  ...windowed,
  minVolume,
  overrides: overridable(levels(bounds), { minVolume }),
})

const rate = kind('rate', 'A share is outside its bounds, with enough behind it.', {
  success: optional(
    list(words('An outcome.'), 'Outcomes that are a success, of a metric split by outcome.', {
      minItems: 1,
    }),
  ),
  of: optional(
    list(words('An outcome.'), 'Outcomes that it is measured against. Left out: all.', {
      minItems: 1,
    }),
  ),
  volume: optional(
    words(
      'Aggregate that says how much stands behind a rate. Left out: `users`, `count` or `events`, the first that is there.',
    ),
  ),
  ...levels(bounds),
  ...windowed,
  minVolume,
  overrides: overridable(levels(bounds), { minVolume }),
})

const changeRule = kind('change', 'A number differs from that of a day or a week before.', {
  against: oneOf(['day', 'week'], 'Which window it is compared with.', { default: 'week' }),
  timezone: zone,
  ...levels(change),
  ...windowed,
  minVolume,
  floor,
  overrides: overridable(levels(change), { minVolume, floor }),
})

const deviation = (what: string) => optional(decimal(what, { minimum: 0, maximum: 1_000 }))

const baseline = kind('baseline', 'A number is far from what is usual at its hour and weekday.', {
  direction: oneOf(['below', 'above', 'both'], 'Which side is bad.', { default: 'below' }),
  warn: deviation('Robust standard deviations from the median that are still fine.'),
  crit: deviation('Robust standard deviations from the median that are not critical.'),
  clear: deviation('Robust standard deviations inside which a firing alert ends.'),
  weeks: whole('Weeks that are looked at.', { default: 4, minimum: 1, maximum: 52 }),
  minSamples: whole('Windows that a baseline needs; with fewer nothing is judged.', {
    default: 3,
    minimum: 2,
    maximum: 1_000,
  }),
  timezone: zone,
  calendar: optional(words('Name of one of `calendars`: holidays are compared with rest days.')),
  masked: list(
    section(
      { from: instant('First instant left out.'), to: instant('First instant after it.') },
      'A span.',
    ),
    'Spans that are left out of the baseline; windows in which the rule fired always are.',
    { default: [] },
  ),
  ...windowed,
  floor,
  overrides: overridable(
    { warn: deviation('As above.'), crit: deviation('As above.'), clear: deviation('As above.') },
    { floor },
  ),
})

const newSeries = kind('new-series', 'A series was never seen before.', {
  severity,
  learn: duration('Event time in which every series is simply learnt, at the start of a metric.', {
    default: '1d',
  }),
  ...windowed,
  overrides: overridable({}, { severity }),
})

const missingSeries = kind('missing-series', 'A series that used to come has not come for long.', {
  severity,
  after: duration('Complete windows without an event of it must add up to this.', {
    default: '1d',
  }),
  forget: duration('Event time after which it is forgotten.', { default: '14d' }),
  ...windowed,
  overrides: overridable({}, { severity }),
})

const composite = kind('composite', 'A condition over other rules.', {
  severity,
  when: words('Names of rules with `and`, `or`, `not` and parentheses.', {
    examples: ['loans-zero and not payouts-zero'],
  }),
  on: list(words('A label.'), 'Labels that the alerts of its parts must share. Empty: none.', {
    default: [],
  }),
  for: duration('How long it must hold, in processing time.', { default: '0s' }),
  keepFiring: duration('How long it must not hold before the alert ends.', { default: '0s' }),
  ...common,
})

const pipeline = kind('pipeline', 'Warden itself: what it reads, writes and keeps.', {
  signal: oneOf(
    [
      'lag',
      'watermark-age',
      'source-rate',
      'unreachable',
      'sink-failing',
      'oldest-unwritten',
      'dead-letter-rate',
      'late-rate',
      'late-events',
      'checkpoint-age',
    ],
    '`lag`: records between position and end. `watermark-age`, `oldest-unwritten`, `checkpoint-age`: seconds. `source-rate`: records per second. `unreachable`: partitions that are not being read. `sink-failing`: 1 while the last answer of a sink was a failure. `dead-letter-rate`, `late-rate`: share of the records of `over`, 0 to 1. `late-events`: number in `over`.',
  ),
  of: list(words('Name.'), 'Sources, sinks or metrics. Empty: all.', { default: [] }),
  over: duration('Span that rates are taken over.', { default: '10m' }),
  severity,
  ...levels(bounds),
  for: duration('How long it must be bad, in processing time.', { default: '0s' }),
  keepFiring: duration('How long it must be good before the alert ends.', { default: '0s' }),
  ...common,
})

export const rule = either(
  [zero, threshold, rate, changeRule, baseline, newSeries, missingSeries, composite, pipeline],
  'What is judged; `kind` says how.',
)
