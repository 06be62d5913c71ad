import Type, { type Static } from 'typebox'

const Millis = Type.Integer()
const strict = { additionalProperties: false }

const EventRow = Type.Object(
  {
    partition: Type.Optional(Type.Integer()),
    ts: Millis,
    key: Type.Union([Type.String(), Type.Number()]),
    value: Type.Optional(Type.Number()),
    procTime: Type.Optional(Millis),
  },
  strict,
)
const WatermarkRow = Type.Object({ partition: Type.Integer(), watermark: Millis }, strict)
const IdleRow = Type.Object({ partition: Type.Integer(), idle: Type.Boolean() }, strict)
const RemovedRow = Type.Object({ partition: Type.Integer(), removed: Type.Literal(true) }, strict)
const AddedRow = Type.Object({ partition: Type.Integer(), added: Type.Literal(true) }, strict)
const ProcessingTimeRow = Type.Object(
  { advanceProcessingTime: Type.Integer({ minimum: 0 }) },
  strict,
)
const RestoreRow = Type.Object({ snapshotRestore: Type.Literal(true) }, strict)

/** Rows that move time and partitions, common to window and pipeline specs. */
export const TimeRow = Type.Union([
  WatermarkRow,
  IdleRow,
  RemovedRow,
  AddedRow,
  ProcessingTimeRow,
  RestoreRow,
])
export type TimeRow = Static<typeof TimeRow>

const Firing = Type.Union([Type.Literal('early'), Type.Literal('on-time'), Type.Literal('late')])

const ExpectedPane = Type.Object(
  {
    key: Type.Union([Type.String(), Type.Number()]),
    windowStart: Millis,
    windowEnd: Millis,
    value: Type.Number(),
    firing: Firing,
    retracts: Type.Optional(Type.Union([Type.Number(), Type.Null()])),
  },
  strict,
)
export type ExpectedPane = Static<typeof ExpectedPane>

const WindowConfig = Type.Object(
  {
    windowSizeMs: Type.Union([Type.Integer({ minimum: 1 }), Type.Null()]),
    slideMs: Type.Optional(Type.Union([Type.Integer({ minimum: 1 }), Type.Null()])),
    offsetMs: Type.Optional(Millis),
    timezone: Type.Optional(Type.String()),
    outOfOrdernessMs: Type.Optional(Type.Integer({ minimum: 0 })),
    allowedLatenessMs: Type.Optional(Type.Union([Type.Integer({ minimum: 0 }), Type.Null()])),
    idleMs: Type.Optional(Type.Union([Type.Integer({ minimum: 0 }), Type.Null()])),
    maxFutureSkewMs: Type.Optional(Type.Union([Type.Integer({ minimum: 0 }), Type.Null()])),
    watermarks: Type.Optional(Type.Union([Type.Literal('explicit'), Type.Literal('bounded')])),
    partitions: Type.Optional(Type.Array(Type.Integer())),
    agg: Type.Optional(Type.Union([Type.Literal('sum'), Type.Literal('count')])),
    accumulation: Type.Optional(
      Type.Union([Type.Literal('accumulating'), Type.Literal('discarding')]),
    ),
    earlyAfterFirstInPaneMs: Type.Optional(Type.Union([Type.Integer({ minimum: 0 }), Type.Null()])),
    ignoreWindowsStartingBefore: Type.Optional(Type.Union([Millis, Type.Null()])),
  },
  strict,
)
export type WindowConfig = Static<typeof WindowConfig>

/** One case of a window spec; the format is documented in docs/specs.md. */
export const WindowCase = Type.Object(
  {
    name: Type.String(),
    source: Type.Optional(Type.Unknown()),
    notes: Type.Optional(Type.Unknown()),
    kind: Type.Optional(Type.Unknown()),
    config: WindowConfig,
    input: Type.Array(Type.Union([EventRow, ...TimeRow.anyOf])),
    expect: Type.Optional(Type.Array(ExpectedPane)),
    optionalExpect: Type.Optional(Type.Array(ExpectedPane)),
    late: Type.Optional(
      Type.Array(
        Type.Object(
          {
            key: Type.Optional(Type.Union([Type.String(), Type.Number()])),
            ts: Millis,
            value: Type.Optional(Type.Number()),
          },
          strict,
        ),
      ),
    ),
    expectWatermarks: Type.Optional(
      Type.Array(
        Type.Object(
          {
            afterInput: Type.Integer({ minimum: 0 }),
            watermark: Type.Optional(Type.Union([Millis, Type.Null()])),
            idle: Type.Optional(Type.Boolean()),
          },
          strict,
        ),
      ),
    ),
  },
  strict,
)
export type WindowCase = Static<typeof WindowCase>
