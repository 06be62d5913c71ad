import Type, { type Static } from 'typebox'

const strict = { additionalProperties: false }
/** `90s` from the start, or ISO 8601. */
const Time = Type.String()
/** `90s`, or seconds. */
const Span = Type.Union([Type.String(), Type.Number()])
const Tags = Type.Record(Type.String(), Type.String())
const Patterns = Type.Record(Type.String(), Type.Union([Type.String(), Type.Array(Type.String())]))

const PaneRow = Type.Object(
  {
    at: Time,
    metric: Type.String(),
    tags: Type.Optional(Tags),
    windowStart: Time,
    windowEnd: Time,
    value: Type.Optional(Type.Number()),
    values: Type.Optional(Type.Record(Type.String(), Type.Number())),
    volume: Type.Optional(Type.Number()),
  },
  strict,
)

const SeriesRow = Type.Object(
  {
    metric: Type.String(),
    tags: Type.Optional(Tags),
    start: Time,
    step: Type.String(),
    values: Type.String(),
    volume: Type.Optional(Type.Number()),
    delay: Type.Optional(Type.String()),
  },
  strict,
)

/** The window ends without a pane: records of it are missing, or the whole source was silent. */
const ClosingRow = Type.Object(
  {
    at: Time,
    metric: Type.String(),
    windowStart: Time,
    windowEnd: Time,
    closing: Type.Union([Type.Literal('partial'), Type.Literal('silent'), Type.Literal('whole')]),
  },
  strict,
)

const HealthRow = Type.Object(
  {
    at: Time,
    health: Type.Object(
      {
        watermarkAge: Type.Optional(Span),
        lag: Type.Optional(Type.Union([Type.Number(), Type.Null()])),
        sourceRate: Type.Optional(Type.Number()),
        oldestUnwritten: Type.Optional(Type.Union([Span, Type.Null()])),
        sink: Type.Optional(Type.Union([Type.Literal('ok'), Type.Literal('failing')])),
        trouble: Type.Optional(Type.Union([Type.String(), Type.Null()])),
        deadRate: Type.Optional(Type.Number()),
        lateRate: Type.Optional(Type.Number()),
        checkpointAge: Type.Optional(Span),
      },
      strict,
    ),
  },
  strict,
)

const SilenceRow = Type.Object(
  {
    at: Time,
    silence: Type.Object(
      {
        id: Type.Optional(Type.String()),
        match: Patterns,
        until: Time,
        owner: Type.Optional(Type.String()),
        reason: Type.Optional(Type.String()),
      },
      strict,
    ),
  },
  strict,
)

const AcknowledgeRow = Type.Object(
  { at: Time, acknowledge: Type.Object({ rule: Type.String(), by: Type.String() }, strict) },
  strict,
)
const RestartRow = Type.Object({ at: Time, restart: Type.Literal(true) }, strict)
const ReloadRow = Type.Object({ at: Time, reload: Type.Unknown() }, strict)
/** Moves the wall clock without time passing: a clock step. */
const ClockRow = Type.Object({ at: Time, clockStep: Type.String() }, strict)

const ExpectedAlert = Type.Object(
  {
    rule: Type.String(),
    labels: Type.Optional(Tags),
    state: Type.Optional(
      Type.Union([Type.Literal('inactive'), Type.Literal('pending'), Type.Literal('firing')]),
    ),
    cause: Type.Optional(Type.String()),
    severity: Type.Optional(Type.String()),
  },
  strict,
)

const ExpectedNotification = Type.Object(
  {
    receiver: Type.Optional(Type.String()),
    kind: Type.String(),
    alerts: Type.Optional(Type.Integer()),
    cause: Type.Optional(Type.String()),
    severity: Type.Optional(Type.String()),
    rule: Type.Optional(Type.String()),
  },
  strict,
)

/** One case of a rule spec; the format is documented in docs/specs.md. */
export const RuleCase = Type.Object(
  {
    name: Type.String(),
    source: Type.Optional(Type.Unknown()),
    notes: Type.Optional(Type.Unknown()),
    kind: Type.Optional(Type.Unknown()),
    rules: Type.Unknown(),
    start: Type.Optional(Type.String()),
    evaluationDelay: Type.Optional(Type.String()),
    outOfOrderness: Type.Optional(Type.String()),
    interval: Type.Optional(Type.String()),
    input: Type.Array(
      Type.Union([
        PaneRow,
        SeriesRow,
        ClosingRow,
        HealthRow,
        SilenceRow,
        AcknowledgeRow,
        RestartRow,
        ReloadRow,
        ClockRow,
      ]),
    ),
    expect: Type.Array(
      Type.Object(
        {
          at: Time,
          alerts: Type.Optional(Type.Array(ExpectedAlert)),
          notifications: Type.Optional(Type.Array(ExpectedNotification)),
        },
        strict,
      ),
    ),
  },
  strict,
)
export type RuleCase = Static<typeof RuleCase>
export type RuleRow = RuleCase['input'][number]
export type HealthDocument = Extract<RuleRow, { readonly health: unknown }>['health']
