import { textFormats } from './read/formats.ts'
import { isRequired, type SchemaView, viewOf } from './read/schema-view.ts'
import { configSchema } from './schema.ts'

/** A JSON document. */
export type Json =
  | string
  | number
  | boolean
  | null
  | readonly Json[]
  | { readonly [key: string]: Json }

/** Text with a variable in it may stand wherever a scalar does. */
const variable = '\\$\\{.+\\}'

/** The config schema as plain JSON Schema (draft 7), for editors: texts by pattern, and `${ENV}` allowed for every scalar. */
export function jsonSchema(): Json {
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'Warden config',
    ...plain(viewOf(configSchema)),
  }
}

/** The schema file as it is checked in. */
export const jsonSchemaText = (): string => `${JSON.stringify(jsonSchema(), null, 2)}\n`

type JsonObject = { readonly [key: string]: Json }

function plain(schema: SchemaView): JsonObject {
  const { description, examples } = schema
  return {
    ...(description === undefined ? {} : { description }),
    ...(schema.default === undefined ? {} : { default: schema.default as Json }),
    ...(examples === undefined ? {} : { examples: examples as readonly Json[] }),
    ...shape(schema),
  }
}

function shape(schema: SchemaView): JsonObject {
  if (schema.anyOf !== undefined) return { anyOf: schema.anyOf.map(plain) }
  if (schema.textOf !== undefined) {
    const { pattern } = textFormats[schema.textOf]
    return {
      type: 'string',
      ...(pattern === undefined ? {} : { pattern: `${variable}|${pattern}` }),
    }
  }
  if (schema.enum !== undefined) {
    return { anyOf: [{ enum: schema.enum }, { type: 'string', pattern: variable }] }
  }
  switch (schema.type) {
    case 'object':
      return section(schema)
    case 'array':
      return {
        type: 'array',
        items: plain(schema.items ?? {}),
        ...limits(schema, ['minItems', 'maxItems']),
      }
    case 'boolean':
    case 'number':
    case 'integer':
      return {
        type: [schema.type, 'string'],
        pattern: variable,
        ...limits(schema, ['minimum', 'maximum']),
      }
    default:
      return schema.const === undefined
        ? { type: 'string', ...limits(schema, ['minLength']) }
        : { const: schema.const }
  }
}

function section(schema: SchemaView): JsonObject {
  const counts = limits(schema, ['minProperties', 'maxProperties'])
  if (schema.properties === undefined) {
    const [inner] = Object.values(schema.patternProperties ?? {})
    return { type: 'object', additionalProperties: plain(inner ?? {}), ...counts }
  }
  const required = Object.keys(schema.properties).filter((key) => isRequired(schema, key))
  return {
    type: 'object',
    properties: Object.fromEntries(
      Object.entries(schema.properties).map(([key, one]) => [key, plain(one)]),
    ),
    ...(required.length === 0 ? {} : { required }),
    additionalProperties: false,
    ...counts,
  }
}

type Limit =
  | 'minimum'
  | 'maximum'
  | 'minLength'
  | 'minItems'
  | 'maxItems'
  | 'minProperties'
  | 'maxProperties'

const limits = (schema: SchemaView, names: readonly Limit[]): JsonObject =>
  Object.fromEntries(
    names.flatMap((name) => {
      const value = schema[name]
      return value === undefined ? [] : [[name, value]]
    }),
  )
