import Type from 'typebox'
import {
  decimal,
  duration,
  either,
  flag,
  instant,
  legalName,
  list,
  oneOf,
  optional,
  section,
  timezone,
  whole,
  words,
} from './fields.ts'

const pattern = either(
  [
    words('A text; `*` stands for anything, `!` in front negates.'),
    list(words('A text.'), 'One of several.', { minItems: 1 }),
  ],
  'What the label must be.',
)

/** Label → what it must be. */
export const matchers = (description: string, options: { readonly default?: unknown } = {}) =>
  Type.Record(Type.String(), pattern, { description, ...options })

export const names = (what: string, description: string) => list(words(what), description)

const repeat = section(
  {
    every: duration('First wait.', { default: '4h' }),
    factor: decimal('From one wait to the next.', { default: 2, minimum: 1, maximum: 100 }),
    max: duration('Longest wait.', { default: '1d' }),
    times: whole('Repeats at most.', { default: 1_000, minimum: 0, maximum: 1_000_000 }),
  },
  'Messages about what still fires.',
)

const step = section(
  {
    after: duration('Time since the first message.', { examples: ['15m'] }),
    receivers: list(words('Name of a receiver.'), 'Who is told then.', { minItems: 1 }),
  },
  'A step.',
)

export const routeKeys = {
  receivers: optional(
    names('Name of a receiver.', 'Who is told; none: the message is only logged.'),
  ),
  groupBy: optional(
    names(
      'Label: `rule`, `team`, `cause`, `metric`, `source`, a tag or a label of the rule.',
      'Alerts that share these labels are one message. Left out: `rule`.',
    ),
  ),
  groupWait: optional(
    duration('Wait for more of the same before the first message. Left out: 30s.'),
  ),
  groupInterval: optional(
    duration('Least time between messages of a group about new alerts. Left out: 5m.'),
  ),
  repeat: optional(repeat),
  escalate: optional(list(step, 'Who is told further, until somebody acknowledges.')),
  mute: optional(names('Name of one of `times`.', 'Times in which nothing is sent.')),
  active: optional(names('Name of one of `times`.', 'Times outside which nothing is sent.')),
  sendResolved: optional(flag('Whether ends are told too. Left out: true.')),
}

export const route = section(
  {
    name: optional(legalName('Name in explanations. Left out: its place.')),
    match: matchers(
      'Labels: `rule`, `kind`, `severity`, `team`, `cause`, `metric`, `source`, tags, labels of the rule.',
    ),
    continue: flag('Look at the routes after it too.', { default: false }),
    ...routeKeys,
  },
  'Who is told of which alerts.',
)

export const inhibition = section(
  {
    source: matchers('Alerts that are the cause, while they fire.'),
    target: matchers('Alerts that say nothing meanwhile. Their end is told if their begin was.'),
    equal: list(words('A label.'), 'Labels that both must share.', { default: [] }),
  },
  'A cause that mutes its symptoms.',
)

export const silence = section(
  {
    match: matchers('Alerts that say nothing.'),
    from: optional(instant('From when on. Left out: always.')),
    until: instant('When it ends.'),
    owner: words('Who is responsible.'),
    reason: words('Why.'),
  },
  'Alerts that say nothing for a while. Their end is told if their begin was.',
)

export const muteTimes = section(
  {
    timezone: timezone('IANA zone.', { default: 'Asia/Shanghai' }),
    hours: list(
      words('From–to.', { examples: ['22:00-08:00'] }),
      'Hours of the day; over midnight they belong to the day they begin on. Empty: all day.',
      { default: [] },
    ),
    weekdays: list(
      oneOf(['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'], 'A day.'),
      'Days of the week; empty: every day.',
      { default: [] },
    ),
    days: oneOf(
      ['all', 'workdays', 'restdays'],
      '`workdays`: Monday to Friday but holidays, and make-up workdays; `restdays`: the others.',
      { default: 'all' },
    ),
    calendar: optional(words('Name of one of `calendars`.')),
  },
  'Recurring times. Every condition that is given must hold.',
)
