import Type, { type TProperties, type TSchema } from 'typebox'
import type { Condition, FieldPath } from '../../core/plan.ts'
import type { DurationMs, EpochMs } from '../../core/time.ts'
import type { Secret } from '../secret.ts'

/**
 * The words the config schema is written in. A field's schema says how it stands in the file (JSON Schema) and, as its
 * static type, what it is after reading: `20s` becomes a `DurationMs`. `textOf` names the reader of such a text.
 * A field with a default may be left out of the file and is always there after reading.
 */

/** What a text in the file stands for. */
export type TextOf =
  | 'duration'
  | 'bytes'
  | 'percentage'
  | 'listen'
  | 'instant'
  | 'path'
  | 'filter'
  | 'secret'
  | 'certificate'
  | 'url'
  | 'redis-url'
  | 'broker'
  | 'file'
  | 'timezone'
  | 'name'
  | 'tag-name'
  | 'tag-value'
  | 'prefix'

/** Where a server listens. */
export interface ListenAddress {
  readonly host: string
  /** 0: any free port. */
  readonly port: number
}

/** A filter as it stands in the file and as it was understood. */
export interface Filter {
  readonly text: string
  readonly condition: Condition
}

interface FieldOptions {
  /** As it would stand in the file. */
  readonly default?: unknown
  readonly examples?: readonly unknown[]
}

const text =
  <T>(textOf: TextOf) =>
  (description: string, options: FieldOptions = {}) =>
    Type.Unsafe<T>({ type: 'string', textOf, description, ...options })

/** `20s`, `1h30m`, `500ms`, `7d`. */
export const duration = text<DurationMs>('duration')
/** `1MiB`, `64KiB`, `500MB`. */
export const bytes = text<number>('bytes')
/** `5%`; a fraction after reading. */
export const percentage = text<number>('percentage')
/** `127.0.0.1:4280`. */
export const listen = text<ListenAddress>('listen')
/** `2026-11-20T00:00:00Z`. */
export const instant = text<EpochMs>('instant')
/** `ext.channel`. */
export const fieldPath = text<FieldPath>('path')
/** `event == "loan"`. */
export const filter = text<Filter>('filter')
export const url = text<string>('url')
/** `redis://host:port/database` or `rediss://…`, without a password. */
export const redisUrl = text<string>('redis-url')
/** `host:port`. */
export const broker = text<string>('broker')
/** A path of the file system; absolute after reading. */
export const filePath = text<string>('file')
export const timezone = text<string>('timezone')
/** A name that Warden keys state and labels by. */
export const legalName = text<string>('name')
export const tagName = text<string>('tag-name')
export const tagValue = text<string>('tag-value')
export const prefix = text<string>('prefix')
/** Any text that is not empty. */
export const words = (description: string, options: FieldOptions = {}) =>
  Type.String({ minLength: 1, description, ...options })

const textOrFile = (textOf: TextOf) => (description: string) =>
  Type.Unsafe<Secret>({
    anyOf: [
      { type: 'string', minLength: 1 },
      {
        type: 'object',
        properties: {
          file: {
            type: 'string',
            minLength: 1,
            description: 'File that holds it; white space at its end is left out.',
          },
        },
        required: ['file'],
        additionalProperties: false,
      },
    ],
    textOf,
    description,
  })

/** `${ENV_NAME}` or `{ file: path }`, never the text itself. */
export const secret = textOrFile('secret')
/** PEM text, `${ENV_NAME}` or `{ file: path }`. */
export const certificate = textOrFile('certificate')

export const flag = (description: string, options: FieldOptions = {}) =>
  Type.Boolean({ description, ...options })

/** One of several words. */
export const oneOf = <const T extends string[]>(
  values: readonly [...T],
  description: string,
  options: FieldOptions = {},
) => Type.Unsafe<T[number]>({ enum: values, description, ...options })

/** A whole number in [minimum, maximum]. */
export const whole = (
  description: string,
  options: FieldOptions & { readonly minimum: number; readonly maximum: number },
) => Type.Integer({ description, ...options })

/** A number in [minimum, maximum]. */
export const decimal = (
  description: string,
  options: FieldOptions & { readonly minimum: number; readonly maximum: number },
) => Type.Number({ description, ...options })

/** A section with these keys and no others. */
export const section = <T extends TProperties>(
  properties: T,
  description: string,
  options: FieldOptions = {},
) => Type.Object(properties, { additionalProperties: false, description, ...options })

/** A section of the user's own names. */
export const named = <T extends TSchema>(
  value: T,
  description: string,
  options: FieldOptions = {},
) => Type.Record(Type.String(), value, { minProperties: 1, description, ...options })

export const list = <T extends TSchema>(
  items: T,
  description: string,
  options: FieldOptions & { readonly minItems?: number; readonly maxItems?: number } = {},
) => Type.Array(items, { description, ...options })

/** One of several shapes: told apart by scalar or section, and sections by the word in `type` or `strategy`. */
export const either = <T extends TSchema[]>(
  options: [...T],
  description: string,
  rest: FieldOptions = {},
) => Type.Union(options, { description, ...rest })

/** The word that tells the shapes of an `either` apart. */
export const tag = <const T extends string>(value: T, description: string) =>
  Type.Literal(value, { description })

export const optional = Type.Optional
