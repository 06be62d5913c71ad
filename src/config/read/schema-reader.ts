import type { Static, TSchema } from 'typebox'
import { Secret } from '../secret.ts'
import {
  type ConfigNode,
  defaultNode,
  type ListNode,
  type MapNode,
  type ScalarNode,
} from './document.ts'
import { type Meaning, textFormats } from './formats.ts'
import { coerced, fits, isMeasure, meantBy, shown } from './node-fit.ts'
import { join } from './paths.ts'
import type { Problems } from './problems.ts'
import {
  discriminatorOf,
  expectation,
  isRequired,
  type SchemaView,
  unquoted,
  viewOf,
} from './schema-view.ts'
import { nearest, suggestion } from './suggest.ts'

/** What the reader needs of the world. */
export interface Surroundings {
  /** Makes a path absolute, against the directory of the config file. */
  readonly resolvePath: (path: string) => string
  /** Text of a file; throws when there is none. */
  readonly readFile: (path: string) => string
}

/** Stands for a value that could not be read and is reported. */
const nothing = Symbol('nothing')

/** Reads nodes as a schema says: texts become values, defaults are put in, and everything wrong is reported at its place. */
export class SchemaReader {
  readonly #problems: Problems
  readonly #surroundings: Surroundings

  constructor(problems: Problems, surroundings: Surroundings) {
    this.#problems = problems
    this.#surroundings = surroundings
  }

  /** The value; parts that are wrong are left out, so it has the schema's type only where nothing was reported. */
  read<T extends TSchema>(schema: T, node: ConfigNode): Static<T> {
    // The one place where a checked value gets its static type; a test compares both with a JSON Schema validator.
    const value = this.#value(viewOf(schema), node, '', Math.max(0, node.at))
    return (value === nothing ? {} : value) as Static<T>
  }

  #value(schema: SchemaView, node: ConfigNode, path: string, at: number): unknown {
    if (node.kind === 'scalar' && node.broken) return nothing
    if (schema.textOf === 'secret' || schema.textOf === 'certificate') {
      return this.#secret(schema, node, path, at)
    }
    if (schema.anyOf !== undefined) return this.#alternative(schema, schema.anyOf, node, path, at)
    if (schema.type === 'object') {
      if (node.kind !== 'map') return this.#mismatch(schema, node, path, at)
      return schema.properties === undefined
        ? this.#names(schema, node, path, at)
        : this.#section(schema, schema.properties, node, path, at)
    }
    if (schema.type === 'array') {
      if (node.kind !== 'list') return this.#mismatch(schema, node, path, at)
      return this.#list(schema, node, path)
    }
    if (schema.type === undefined && schema.enum === undefined) return node
    if (node.kind !== 'scalar') return this.#mismatch(schema, node, path, at)
    return this.#scalar(schema, node, path, at)
  }

  #alternative(
    schema: SchemaView,
    options: readonly SchemaView[],
    node: ConfigNode,
    path: string,
    at: number,
  ): unknown {
    const fitting = meantBy(
      node,
      options.filter((one) => fits(one, node)),
    )
    const [only] = fitting
    if (only === undefined) return this.#mismatch(schema, node, path, at)
    if (fitting.length === 1 && discriminatorOf(options) === undefined) {
      return this.#value(only, node, path, at)
    }
    const key = discriminatorOf(fitting)
    if (key === undefined || node.kind !== 'map') return this.#mismatch(schema, node, path, at)
    const words = fitting.map((one) => one.properties?.[key]?.const ?? '')
    const entry = node.entries.find((one) => one.key === key)
    if (entry === undefined) {
      this.#problems.add(
        at,
        path,
        `key "${key}" is missing`,
        `add ${key}: one of ${words.join(', ')}`,
      )
      return nothing
    }
    if (entry.node.kind === 'scalar' && entry.node.broken) return nothing
    const word = entry.node.kind === 'scalar' ? entry.node.text : undefined
    const chosen = fitting.find(
      (one) => word !== undefined && one.properties?.[key]?.const === word,
    )
    if (chosen !== undefined) return this.#value(chosen, node, path, at)
    this.#problems.add(
      entry.node.at,
      join(path, key),
      `${shown(entry.node)} is not known`,
      suggestion(word ?? '', words),
    )
    return nothing
  }

  #section(
    schema: SchemaView,
    properties: Readonly<Record<string, SchemaView>>,
    node: MapNode,
    path: string,
    at: number,
  ): unknown {
    const known = Object.keys(properties).filter((key) => !key.startsWith('$'))
    const value: Record<string, unknown> = {}
    const misspelt = new Set<string | undefined>()
    let broken = false
    for (const entry of node.entries) {
      const property = Object.hasOwn(properties, entry.key) ? properties[entry.key] : undefined
      if (property !== undefined) {
        const inner = this.#value(property, entry.node, join(path, entry.key), entry.keyAt)
        if (inner !== nothing) value[entry.key] = inner
        else broken = true
      } else if (schema.additionalProperties === false) {
        const right = suggestion(entry.key, known)
        misspelt.add(nearest(entry.key, known))
        this.#problems.add(entry.keyAt, path, `unknown key "${entry.key}"`, right)
      }
    }
    const has = (key: string) => node.entries.some((one) => one.key === key)
    for (const [key, property] of Object.entries(properties)) {
      if (has(key)) continue
      if (property.default !== undefined) {
        const inner = this.#value(property, defaultNode(property.default), join(path, key), at)
        if (inner !== nothing) value[key] = inner
      } else if (isRequired(schema, key)) {
        broken = true
        if (misspelt.has(key)) continue
        const right = `add ${key}: ${expectation(property)}`
        this.#problems.add(at, path, `key "${key}" is missing`, right)
      }
    }
    const count = node.entries.length
    if (schema.maxProperties !== undefined && count !== schema.maxProperties) {
      const right = `write exactly one of ${known.join(', ')} in each item`
      this.#problems.add(at, path, `${count} keys stand in one item`, right)
      broken = true
    }
    // The root is kept in parts, so that what is sound of it can be checked further.
    return broken && path !== '' ? nothing : value
  }

  #names(schema: SchemaView, node: MapNode, path: string, at: number): unknown {
    const [inner] = Object.values(schema.patternProperties ?? {})
    if (schema.minProperties !== undefined && node.entries.length < schema.minProperties) {
      this.#problems.add(at, path, 'the section is empty', 'name at least one')
      return nothing
    }
    const value: Record<string, unknown> = Object.create(null)
    for (const entry of node.entries) {
      const read = this.#value(inner ?? {}, entry.node, join(path, entry.key), entry.keyAt)
      if (read !== nothing) value[entry.key] = read
    }
    return value
  }

  #list(schema: SchemaView, node: ListNode, path: string): unknown {
    if (schema.minItems !== undefined && node.items.length < schema.minItems) {
      this.#problems.add(node.at, path, 'the list is empty', `add at least ${schema.minItems}`)
      return nothing
    }
    const items = node.items.map((item, index) =>
      this.#value(schema.items ?? {}, item, join(path, String(index)), item.at),
    )
    return items.includes(nothing) ? nothing : items
  }

  #scalar(schema: SchemaView, node: ScalarNode, path: string, at: number): unknown {
    const value = node.substituted ? coerced(schema, node) : node.value
    if (schema.textOf !== undefined) {
      const usable = typeof value === 'string' || (typeof value === 'number' && isMeasure(schema))
      if (!usable) return this.#mismatch(schema, node, path, at)
      return this.#text(schema.textOf, node, path)
    }
    if (schema.enum !== undefined) {
      if (typeof value === 'string' && schema.enum.includes(value)) return value
      const right = suggestion(node.text, schema.enum)
      this.#problems.add(node.at, path, `${shown(node)} is not allowed`, right)
      return nothing
    }
    const { minimum = -Infinity, maximum = Infinity, minLength = 0 } = schema
    const right =
      (schema.type === 'string' && typeof value === 'string' && value.length >= minLength) ||
      (schema.type === 'boolean' && typeof value === 'boolean') ||
      ((schema.type === 'number' || schema.type === 'integer') &&
        typeof value === 'number' &&
        (schema.type === 'number' || Number.isInteger(value)) &&
        value >= minimum &&
        value <= maximum)
    return right ? value : this.#mismatch(schema, node, path, at)
  }

  #text(textOf: NonNullable<SchemaView['textOf']>, node: ScalarNode, path: string): unknown {
    const { written, read } = textFormats[textOf]
    const meaning: Meaning =
      node.text === '' && textOf !== 'prefix'
        ? { kind: 'wrong', what: 'the text is empty', right: `write ${unquoted(written)}` }
        : read(node.text, this.#surroundings.resolvePath)
    if (meaning.kind === 'ok') return meaning.value
    if (node.substituted && meaning.at === undefined) {
      // What the variable held may be a secret put in the wrong place.
      this.#problems.add(
        node.at,
        path,
        `${shown(node)} is not right here`,
        `set it to: ${unquoted(written)}`,
      )
      return nothing
    }
    const at = meaning.at ?? 0
    const position = node.substituted ? node.at : node.positionOf(at)
    // Where the very character cannot be pointed at, the message counts for the reader.
    const counted = at > 0 && position === node.at ? ` (character ${at + 1} of the text)` : ''
    this.#problems.add(position, path, `${meaning.what}${counted}`, meaning.right)
    return nothing
  }

  #secret(schema: SchemaView, node: ConfigNode, path: string, at: number): unknown {
    if (node.kind === 'scalar') {
      const isText = typeof node.value === 'string' || (node.substituted && node.text !== '')
      if (!isText || node.text === '') return this.#mismatch(schema, node, path, at)
      if (schema.textOf === 'certificate' || node.substituted) return new Secret(node.text)
      this.#problems.add(
        node.at,
        path,
        'a secret stands here in clear text',
        "write '${ENV_NAME}' or { file: path }",
      )
      return nothing
    }
    const section = schema.anyOf?.find((one) => one.type === 'object')
    if (node.kind !== 'map' || section?.properties === undefined) {
      return this.#mismatch(schema, node, path, at)
    }
    const value = this.#section(section, section.properties, node, path, at)
    if (typeof value !== 'object' || value === null || !('file' in value)) return nothing
    const file = this.#surroundings.resolvePath(String(value.file))
    const fileAt = node.entries.find((one) => one.key === 'file')?.node.at ?? at
    try {
      const text = this.#surroundings.readFile(file).trimEnd()
      if (text !== '') return new Secret(text)
      this.#problems.add(fileAt, join(path, 'file'), `${file} is empty`, 'write the secret into it')
    } catch (error) {
      const reason = error instanceof Error && 'code' in error ? ` (${error.code})` : ''
      const what = `${file} cannot be read${reason}`
      this.#problems.add(fileAt, join(path, 'file'), what, 'name a file that Warden may read')
    }
    return nothing
  }

  #mismatch(schema: SchemaView, node: ConfigNode, path: string, at: number): typeof nothing {
    const text = node.kind === 'scalar' && node.value === null && node.text === ''
    const what = text ? 'the value is missing' : `${shown(node)} is not right here`
    const quote =
      node.kind === 'scalar' &&
      schema.type === 'string' &&
      schema.textOf !== 'listen' &&
      typeof node.value !== 'string' &&
      !text
        ? `, in quotes: "${node.text}"`
        : ''
    this.#problems.add(
      node.at < 0 ? at : node.at,
      path,
      what,
      `write ${expectation(schema)}${quote}`,
    )
    return nothing
  }
}
