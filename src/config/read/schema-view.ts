import type { TSchema } from 'typebox'
import type { TextOf } from '../schema/fields.ts'
import { textFormats } from './formats.ts'

/** The keywords of JSON Schema that the config schema uses, and the one of its own (`textOf`). */
export interface SchemaView {
  readonly type?: 'string' | 'number' | 'integer' | 'boolean' | 'object' | 'array'
  readonly textOf?: TextOf
  readonly description?: string
  readonly default?: unknown
  readonly examples?: readonly unknown[]
  readonly const?: string
  readonly enum?: readonly string[]
  readonly anyOf?: readonly SchemaView[]
  readonly items?: SchemaView
  readonly properties?: Readonly<Record<string, SchemaView>>
  readonly patternProperties?: Readonly<Record<string, SchemaView>>
  readonly required?: readonly string[]
  readonly additionalProperties?: boolean
  readonly minLength?: number
  readonly minimum?: number
  readonly maximum?: number
  readonly minItems?: number
  readonly maxItems?: number
  readonly minProperties?: number
  readonly maxProperties?: number
}

/** TypeBox schemas are JSON Schema; this is the same object by its keywords. */
export const viewOf = (schema: TSchema): SchemaView => schema as SchemaView

/** Must the file have it? What has a default need not. */
export function isRequired(parent: SchemaView, key: string): boolean {
  const property = parent.properties?.[key]
  return parent.required?.includes(key) === true && property?.default === undefined
}

/** The key whose word tells sections apart (`type`, `strategy`). */
export function discriminatorOf(options: readonly SchemaView[]): string | undefined {
  const [first] = options
  if (first === undefined || options.length < 2) return undefined
  return Object.keys(first.properties ?? {}).find((key) =>
    options.every((one) => one.properties?.[key]?.const !== undefined),
  )
}

/** What may stand there, in a few words. */
export function expectation(schema: SchemaView): string {
  if (schema.textOf !== undefined) return unquoted(textFormats[schema.textOf].written)
  if (schema.enum !== undefined) return `one of ${schema.enum.join(', ')}`
  if (schema.anyOf !== undefined) {
    return [...new Set(schema.anyOf.map(expectation))].join(' or ')
  }
  switch (schema.type) {
    case 'object':
      return schema.maxProperties === 1
        ? `a section with one of the keys ${Object.keys(schema.properties ?? {}).join(', ')}`
        : schema.properties === undefined
          ? 'a section of names'
          : `a section with the keys ${Object.keys(schema.properties).join(', ')}`
    case 'array':
      return `a list, each ${expectation(schema.items ?? {})}`
    case 'boolean':
      return 'true or false'
    case 'integer':
      return `a whole number${range(schema)}`
    case 'number':
      return `a number${range(schema)}`
    default:
      return schema.const === undefined ? 'text' : schema.const
  }
}

/** ` from 1 to 32`. */
export function range(schema: SchemaView): string {
  const { minimum, maximum } = schema
  if (minimum === undefined || maximum === undefined) return ''
  return ` from ${minimum} to ${maximum}`
}

/** Without the marks of the manual. */
export const unquoted = (text: string): string => text.replaceAll('`', '')
