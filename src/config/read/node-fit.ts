import type { ConfigNode, ScalarNode } from './document.ts'
import type { SchemaView } from './schema-view.ts'

/** Could the node be of that alternative, by its outer shape? */
export function fits(schema: SchemaView, node: ConfigNode): boolean {
  if (schema.type === 'object') return node.kind === 'map'
  if (schema.type === 'array') return node.kind === 'list'
  return node.kind === 'scalar'
}

/** Of a word and a number, with or without a unit, as alternatives the text says which is meant. */
export function meantBy(node: ConfigNode, options: readonly SchemaView[]): readonly SchemaView[] {
  if (node.kind !== 'scalar' || options.length < 2) return options
  const isNumber = /^-?\d/.test(node.text)
  return options.filter((one) => (one.type === 'integer' || isMeasure(one)) === isNumber)
}

/** Numbers without a unit are read as text, so that the message can ask for the unit. */
export const isMeasure = (schema: SchemaView): boolean =>
  schema.textOf === 'duration' || schema.textOf === 'bytes' || schema.textOf === 'percentage'

/** A variable is text: what it stands for is what the schema wants. */
export function coerced(schema: SchemaView, node: ScalarNode): ScalarNode['value'] {
  const wanted = schema.type
  if (wanted === 'string' || schema.enum !== undefined) return node.text
  if (wanted === 'boolean' && /^(true|false)$/.test(node.text)) return node.text === 'true'
  const isNumber = node.text.trim() !== '' && Number.isFinite(Number(node.text))
  return (wanted === 'number' || wanted === 'integer') && isNumber ? Number(node.text) : node.value
}

/** The value as a message quotes it. */
export function shown(node: ConfigNode): string {
  if (node.kind === 'map') return 'a section'
  if (node.kind === 'list') return 'a list'
  // What a variable held may be a secret put in the wrong place.
  if (node.substituted) return 'the value of the variable'
  return `"${node.text}"`
}
