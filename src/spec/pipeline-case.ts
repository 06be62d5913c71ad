import Type, { type Static } from 'typebox'
import { TimeRow } from './window-case.ts'

const strict = { additionalProperties: false }
/** Epoch ms, or ISO 8601. */
const Time = Type.Union([Type.Integer(), Type.String()])

const EventRow = Type.Object(
  {
    partition: Type.Optional(Type.Integer()),
    event: Type.Unknown(),
    kafkaTimestamp: Type.Optional(Time),
    procTime: Type.Optional(Time),
  },
  strict,
)
const RawRow = Type.Object(
  {
    partition: Type.Optional(Type.Integer()),
    raw: Type.String(),
    kafkaTimestamp: Type.Optional(Time),
    procTime: Type.Optional(Time),
  },
  strict,
)

/** From here on tables have another content. */
const TablesRow = Type.Object({ tables: Type.Record(Type.String(), Type.Unknown()) }, strict)

/** One case of a pipeline spec; the format is documented in docs/specs.md. */
export const PipelineCase = Type.Object(
  {
    name: Type.String(),
    source: Type.Optional(Type.Unknown()),
    notes: Type.Optional(Type.Unknown()),
    kind: Type.Optional(Type.Unknown()),
    pipeline: Type.Unknown(),
    tables: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
    input: Type.Array(Type.Union([EventRow, RawRow, TablesRow, ...TimeRow.anyOf])),
    expect: Type.Optional(
      Type.Array(
        Type.Object(
          {
            metric: Type.String(),
            tags: Type.Optional(Type.Record(Type.String(), Type.String())),
            windowStart: Type.Optional(Time),
            windowEnd: Type.Optional(Time),
            values: Type.Optional(Type.Record(Type.String(), Type.Number())),
            revision: Type.Optional(Type.Integer({ minimum: 0 })),
            firing: Type.Optional(
              Type.Union([Type.Literal('early'), Type.Literal('on-time'), Type.Literal('late')]),
            ),
          },
          strict,
        ),
      ),
    ),
    late: Type.Optional(Type.Array(Type.Record(Type.String(), Type.Unknown()))),
    deadLetters: Type.Optional(Type.Array(Type.Record(Type.String(), Type.Unknown()))),
  },
  strict,
)
export type PipelineCase = Static<typeof PipelineCase>
