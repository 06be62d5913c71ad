import Type from 'typebox'
import {
  duration,
  either,
  fieldPath,
  filter,
  instant,
  oneOf,
  optional,
  section,
  words,
} from './fields.ts'

const timeFormat = oneOf(
  ['auto', 'epoch-s', 'epoch-ms', 'iso8601', 'record'],
  'How the time is written. `auto`: a number below 1e11 is seconds, a larger one milliseconds, text is ISO 8601 with a zone. `record`: Kafka’s record timestamp; for other sources the arrival.',
  { default: 'auto' },
)

const mark = section(
  {
    where: filter(
      'Which records they are. They are no events: nothing counts them, and they need no event time.',
      { examples: ['type == "watermark"'] },
    ),
    time: either(
      [
        fieldPath('Path of the field; the format is found out (`auto`).'),
        section(
          {
            path: optional(fieldPath('Path of the field. Needed unless `format` is `record`.')),
            format: timeFormat,
          },
          'Path and format.',
        ),
      ],
      'The watermark: no event of the partition that comes later is at or before it. A bogus one is a dead letter and moves nothing.',
    ),
  },
  'Records that say the watermark of their partition.',
)

export const watermark = section(
  {
    strategy: oneOf(
      ['bounded', 'punctuated'],
      '`bounded`: the largest event time of a partition minus `outOfOrderness` minus 1 ms. `punctuated`: what records say, described by `mark`; events do not move it.',
      { default: 'bounded' },
    ),
    mark: optional(mark),
    outOfOrderness: duration(
      'How far events of one partition may be out of order; for `bounded`.',
      { default: '20s' },
    ),
    idleTimeout: duration(
      'Silence after which a partition that is proved to stand at its end no longer holds the watermark back.',
      { default: '1m' },
    ),
    maxDrift: optional(
      duration(
        'A partition whose event time is further than this ahead of the slowest one waits. Left out: none waits.',
        { examples: ['1h'] },
      ),
    ),
  },
  'How event time moves on.',
  { default: {} },
)

const time = (options: { readonly default?: string } = {}) =>
  either(
    [
      fieldPath('Path of the field; the format is found out (`auto`).'),
      section(
        {
          path: optional(fieldPath('Path of the field. Needed unless `format` is `record`.')),
          format: timeFormat,
        },
        'Path and format.',
      ),
    ],
    'When the event happened.',
    options,
  )

const outcome = (options: { readonly default?: string } = {}) =>
  either(
    [
      fieldPath('Path of the field whose text is the outcome.'),
      section(
        {
          path: fieldPath('Path of the field whose text is the outcome.'),
          names: Type.Record(Type.String(), words('The outcome it stands for.'), {
            description: 'Renames of raw outcomes; what is not named keeps its text.',
            default: {},
            examples: [{ SUCC: 'success' }],
          }),
        },
        'Path and renames.',
      ),
    ],
    'How the event ended. Needed by rates, by `keep: best` and by the dimension `outcome`.',
    options,
  )

const eventFields = {
  user: optional(
    fieldPath('Who did it: text or a number. Needed by metrics that deduplicate or count users.'),
  ),
  outcome: optional(outcome()),
  where: optional(
    filter(
      'Events that do not match are no events of this source: they move the watermark, and nothing counts them. The language is described under “Filters”.',
      { examples: ['event == "loan" and amount > 0'] },
    ),
  ),
  minEventTime: instant('Events before it have a bogus time and become dead letters.', {
    default: '2015-01-01T00:00:00Z',
  }),
  maxFutureSkew: duration(
    'Events further than this ahead of the wall clock (or of the record timestamp, if that is earlier) have a bogus time and become dead letters; they never move the watermark.',
    { default: '10m' },
  ),
}

export const event = section(
  { time: time(), ...eventFields },
  'How an event is read from its JSON document.',
)

/** The events of the generator. */
export const generated = section(
  {
    time: time({ default: 'eventTime' }),
    ...eventFields,
    user: fieldPath('Who did it.', { default: 'userId' }),
    outcome: outcome({ default: 'status' }),
  },
  'How an event is read; the defaults fit what the generator makes.',
  { default: {} },
)

/** What a pipeline spec needs to know of a source: how its events are read. Other keys are as in a config and not looked at. */
export const inlineSource = Type.Object(
  { watermark, event },
  { additionalProperties: true, description: 'How the events of a source are read.' },
)
