import Type from 'typebox'
import { dedup } from './dedup.ts'
import {
  duration,
  either,
  fieldPath,
  filter,
  flag,
  legalName,
  list,
  oneOf,
  optional,
  section,
  tagName,
  tagValue,
  timezone,
  whole,
  words,
} from './fields.ts'

const window = section(
  {
    size: duration('Length of a window, 1 s to 7 d.', { examples: ['1h'] }),
    slide: optional(
      duration(
        'Distance from the start of a window to the start of the next, at most `size`. Left out: `size`, so that each event is in one window.',
      ),
    ),
    offset: duration('Shift of the windows against the epoch, less than `slide`.', {
      default: '0s',
    }),
    timezone: optional(
      timezone(
        'IANA zone whose midnights the windows are aligned to, instead of `offset`; weeks start on Monday, days with a clock change have 23 or 25 h.',
        {
          examples: ['Asia/Shanghai'],
        },
      ),
    ),
  },
  'Which events are counted together.',
)

const lookup = section(
  {
    from: legalName('Name of the table in `enrich`.', { examples: ['products'] }),
    key: fieldPath('Path of the field that is the key: text, a number or a boolean.', {
      examples: ['product'],
    }),
    field: optional(words('Field of the entry. Left out: the name of the dimension.')),
    unknown: tagValue('Value of a key that has none.', { default: 'unknown' }),
  },
  'Looks the value up by a key. A key has one value per window: see docs/enrichment.md.',
)

const dimension = either(
  [
    fieldPath(
      'Path of the field, which is the name too. `outcome` is the outcome as the source maps it.',
    ),
    section(
      {
        name: tagName('Name of the tag.'),
        path: optional(fieldPath('Path of the field. Left out: the name.')),
        missing: optional(
          tagValue(
            'Value where the field is missing or null, with `lookup` the key that is looked up then. Left out: such an event is a dead letter.',
          ),
        ),
        lookup: optional(lookup),
      },
      'Name, path and what a missing field stands for.',
    ),
  ],
  'A field that becomes a tag of the point.',
)

const outcomes = (description: string) => list(words('An outcome.'), description, { minItems: 1 })

const rate = (meaning: string) =>
  optional(
    section(
      {
        name: optional(legalName('Name of the aggregate. Left out: `rate` or `rawRate`.')),
        success: outcomes('Outcomes that are a success.'),
        of: optional(
          outcomes(
            'Outcomes that the success is measured against. Left out: all, those that the metric does not name included.',
          ),
        ),
      },
      meaning,
    ),
  )

const value = (meaning: string) =>
  optional(
    either(
      [
        fieldPath('Path of the numeric field.'),
        section(
          {
            field: legalName('Name of the field in the name of the aggregate.'),
            path: optional(fieldPath('Path of the field. Left out: `field`.')),
          },
          'Name and path.',
        ),
      ],
      meaning,
    ),
  )

const aggregate = either(
  [
    oneOf(
      ['count', 'events', 'users'],
      '`count`: kept events (all events without `dedup`). `events`: all events, duplicates included. `users`: distinct users.',
    ),
    Type.Object(
      {
        rate: rate(
          'Kept events with an outcome in `success` ÷ kept events with an outcome in `of`. Nothing is written for 0 ÷ 0.',
        ),
        rawRate: rate('The same over all events, duplicates included.'),
        sum: value('Sum of a numeric field over the kept events; written as `sum.<field>`.'),
        avg: value('Mean of a numeric field over the kept events; written as `avg.<field>`.'),
        min: value('Smallest value of a numeric field; not with `dedup`.'),
        max: value('Largest value of a numeric field; not with `dedup`.'),
      },
      {
        additionalProperties: false,
        minProperties: 1,
        maxProperties: 1,
        description: 'An aggregate with particulars: exactly one key.',
      },
    ),
  ],
  'A number that is written per series and window.',
)

export const metric = section(
  {
    source: optional(
      words('Name of the source it reads. May be left out where there is only one.'),
    ),
    where: optional(
      filter('Events that do not match are not counted.', { examples: ['event == "loan"'] }),
    ),
    window,
    allowedLateness: duration(
      'How long after its end a window takes late events and corrects its points. What comes later goes to `lateEvents`.',
      { default: '10m' },
    ),
    evaluationDelay: duration(
      'Wait after a window’s end plus `outOfOrderness` until it is due and may be judged.',
      { default: '60s' },
    ),
    dimensions: list(
      dimension,
      'Tags of the points; each combination of values is a series. At most 8, `outcome` included.',
      { default: [] },
    ),
    outcomes: list(
      words('An outcome.'),
      'Outcomes by name, worst first. Others rank below all and are called `other`.',
      { default: [], examples: [['fail', 'success']] },
    ),
    dedup: optional(dedup),
    aggregates: list(aggregate, 'What is written per series and window.', {
      default: ['count'],
      minItems: 1,
    }),
    zeroFill: section(
      {
        enabled: flag(
          'Write 0 for a known series that was silent in a window in which its source was not.',
          { default: true },
        ),
        expireAfter: duration('Event time after which a silent series is forgotten.', {
          default: '7d',
        }),
        whenSilent: oneOf(
          ['gap', 'zero'],
          'What to write for a window in which the whole source was silent.',
          { default: 'gap' },
        ),
      },
      'Explicit zeros.',
      { default: {} },
    ),
    series: list(
      Type.Record(Type.String(), tagValue('Value of the dimension.'), {
        description: 'One value per dimension, `outcome` left out.',
      }),
      'Series known from the start: zeros are written for them before their first event.',
      { default: [], examples: [[{ bizLine: 'cash', product: 'p1' }]] },
    ),
    accumulation: oneOf(
      ['accumulating', 'discarding'],
      'Whether a window that speaks again says its whole value or only what is new since it last spoke.',
      { default: 'accumulating' },
    ),
    earlyAfter: optional(
      duration(
        'Processing time from the first event of a window to a first, early point. Left out: no early points.',
        { examples: ['1m'] },
      ),
    ),
    emitPartial: flag(
      'Write windows too of which Warden saw only a part, such as the one in which it started.',
      { default: false },
    ),
    maxSeries: whole('Most series the metric may have; events of further ones are dead letters.', {
      default: 100_000,
      minimum: 1,
      maximum: 10_000_000,
    }),
    maxKeys: whole(
      'Most combinations of keys and other dimensions that are told apart where dimensions are looked up, while Warden runs; further keys are unknown.',
      { default: 100_000, minimum: 1, maximum: 10_000_000 },
    ),
    renamedFrom: optional(legalName('Former name of the metric: its state is taken over.')),
  },
  'A number per series and window. Its name is the key of its state.',
)
