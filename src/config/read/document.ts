import {
  type Document,
  type ErrorCode,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  type Scalar,
} from 'yaml'
import { type Environment, interpolate, plainValue } from './interpolate.ts'
import { offsetMap } from './offset-map.ts'
import { join } from './paths.ts'
import { Problems } from './problems.ts'

/** A piece of a config file, freed of YAML: aliases followed, variables put in. `at` is an index into the file; -1 for defaults. */
export type ConfigNode = MapNode | ListNode | ScalarNode

export interface MapNode {
  readonly kind: 'map'
  readonly at: number
  readonly entries: readonly Entry[]
}

export interface Entry {
  readonly key: string
  readonly keyAt: number
  readonly node: ConfigNode
}

export interface ListNode {
  readonly kind: 'list'
  readonly at: number
  readonly items: readonly ConfigNode[]
}

export interface ScalarNode {
  readonly kind: 'scalar'
  readonly at: number
  /** As YAML understands it. */
  readonly value: string | number | boolean | null
  /** As it stands there, without quotes. */
  readonly text: string
  /** Variables were put in: then a text may stand for a number. */
  readonly substituted: boolean
  /** A variable is missing, which is reported already. */
  readonly broken: boolean
  /** Position in the file of character `index` of `text`; `at` where that cannot be known. */
  readonly positionOf: (index: number) => number
}

export interface ReadDocument {
  /** Undefined when the text is no YAML document. */
  readonly root: ConfigNode | undefined
  readonly problems: Problems
}

/** Reads YAML or JSON into nodes; what is wrong with its syntax, keys and variables is in `problems`. */
export function readDocument(text: string, file: string, env: Environment): ReadDocument {
  const lines = new LineCounter()
  const document = parseDocument(text, {
    lineCounter: lines,
    uniqueKeys: false,
    prettyErrors: false,
    merge: true,
  })
  const problems = new Problems(file, lines)
  const told = new Set<number>()
  for (const error of [...document.errors, ...document.warnings]) {
    const [at] = error.pos
    const { line } = lines.linePos(at)
    // What follows a syntax error on its line mostly follows from it.
    if (told.has(line)) continue
    told.add(line)
    problems.add(at, '', oneLine(error.message), cureOf(error.code, text.slice(at - 1, at + 1)))
  }
  if (problems.found.length > 0) return { root: undefined, problems }
  if (document.contents === null) {
    problems.add(0, '', 'the file is empty', 'a config has at least job, sources and metrics')
    return { root: undefined, problems }
  }
  const builder = new NodeBuilder(text, document, env, problems)
  return { root: builder.node(document.contents, ''), problems }
}

/** @param around the characters at the error */
function cureOf(code: ErrorCode, around: string): string {
  if (code === 'TAG_RESOLVE_FAILED') return 'put a value that begins with ! in quotes'
  if (around === '${') return 'inside { } and [ ] put ${NAME} in quotes'
  return 'correct the YAML here'
}

/** Nodes of a subtree of another document, for a config that stands inside another file. */
export function nodeOf(
  inner: Node,
  document: Document,
  text: string,
  env: Environment,
  problems: Problems,
): ConfigNode {
  return new NodeBuilder(text, document, env, problems).node(inner, '')
}

const maxAliasDepth = 50

class NodeBuilder {
  readonly #text: string
  readonly #document: Document
  readonly #env: Environment
  readonly #problems: Problems
  #aliases = 0

  constructor(text: string, document: Document, env: Environment, problems: Problems) {
    this.#text = text
    this.#document = document
    this.#env = env
    this.#problems = problems
  }

  node(of: unknown, path: string): ConfigNode {
    if (isAlias(of)) return this.#alias(of, path)
    const at = startOf(of)
    if (isMap(of)) {
      const entries = new Map<string, Entry>()
      const merges = of.items.filter(({ key }) => isScalar(key) && isMergeKey(key))
      for (const item of of.items) {
        if (!merges.includes(item)) this.#entry(item.key, item.value, path, entries)
      }
      for (const { value } of merges) this.#merge(value, path, entries)
      return { kind: 'map', at, entries: [...entries.values()] }
    }
    if (isSeq(of)) {
      const items = of.items.map((item, index) => this.node(item, join(path, String(index))))
      return { kind: 'list', at, items }
    }
    return this.#scalar(isScalar(of) ? of : undefined, at, path)
  }

  #alias(of: unknown, path: string): ConfigNode {
    const target = isAlias(of) ? of.resolve(this.#document) : undefined
    if (target === undefined || this.#aliases >= maxAliasDepth) {
      const what = target === undefined ? 'the alias names no anchor' : 'the alias contains itself'
      this.#problems.add(startOf(of), path, what, 'write the value here')
      return scalarNode(startOf(of), null, '', { broken: true })
    }
    this.#aliases++
    const node = this.node(target, path)
    this.#aliases--
    return node
  }

  #entry(key: unknown, value: unknown, path: string, entries: Map<string, Entry>): void {
    const keyAt = startOf(key)
    if (!isScalar(key)) {
      this.#problems.add(keyAt, path, 'a key is a list or a map', 'write a name')
      return
    }
    const name = typeof key.value === 'string' ? key.value : (key.source ?? String(key.value))
    const first = entries.get(name)
    if (first !== undefined && first.keyAt >= 0) {
      this.#problems.add(
        keyAt,
        join(path, name),
        `key "${name}" stands here twice`,
        'keep one of the two',
      )
      return
    }
    // An absent value (`key:`) has no position of its own.
    const node = value === null ? scalarNode(keyAt, null, '') : this.node(value, join(path, name))
    entries.set(name, { key: name, keyAt, node })
  }

  #merge(value: unknown, path: string, entries: Map<string, Entry>): void {
    const sources = isSeq(value) ? value.items : [value]
    for (const one of sources) {
      const node = this.node(one, path)
      if (node.kind !== 'map') {
        this.#problems.add(
          node.at,
          path,
          '<< merges something that is no section',
          'name the anchor of a section',
        )
        continue
      }
      for (const entry of node.entries) {
        if (!entries.has(entry.key)) entries.set(entry.key, entry)
      }
    }
  }

  #scalar(of: Scalar | undefined, at: number, path: string): ConfigNode {
    const value = of?.value
    if (of === undefined || typeof value !== 'string' || !value.includes('${')) {
      const known =
        typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
          ? value
          : null
      const text = typeof known === 'string' ? known : (of?.source ?? '')
      return scalarNode(at, known, text, { positions: this.#positions(of, at, text) })
    }
    const positions = this.#positions(of, at, value)
    const result = interpolate(value, this.#env)
    for (const { index, what, right } of result.mistakes) {
      this.#problems.add(positions(index), path, what, right)
    }
    const plain = of.type === 'PLAIN'
    const { text } = result
    return scalarNode(at, plain ? plainValue(text) : text, text, {
      broken: result.mistakes.length > 0,
      substituted: true,
    })
  }

  #positions(of: Scalar | undefined, at: number, text: string): (index: number) => number {
    const range = of?.range
    if (of === undefined || range === undefined || range === null) return () => at
    const map = offsetMap(this.#text.slice(range[0], range[1]), of.type, text)
    return (index) => (map === undefined ? at : at + (map[index] ?? map.at(-1) ?? 0))
  }
}

interface ScalarExtras {
  readonly broken?: boolean
  readonly substituted?: boolean
  readonly positions?: (index: number) => number
}

function scalarNode(
  at: number,
  value: ScalarNode['value'],
  text: string,
  extras: ScalarExtras = {},
): ScalarNode {
  const { broken = false, substituted = false, positions = () => at } = extras
  return { kind: 'scalar', at, value, text, broken, substituted, positionOf: positions }
}

/** Nodes of a default, which stands in no file. */
export function defaultNode(value: unknown): ConfigNode {
  if (Array.isArray(value)) return { kind: 'list', at: -1, items: value.map(defaultNode) }
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value).map(([key, inner]) => ({
      key,
      keyAt: -1,
      node: defaultNode(inner),
    }))
    return { kind: 'map', at: -1, entries }
  }
  const known =
    typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
      ? value
      : null
  return scalarNode(-1, known, String(value))
}

const isMergeKey = (key: Scalar): boolean =>
  typeof key.value === 'symbol' || (key.value === '<<' && key.type === 'PLAIN')

function startOf(node: unknown): number {
  const range =
    typeof node === 'object' && node !== null && 'range' in node ? node.range : undefined
  return Array.isArray(range) && typeof range[0] === 'number' ? range[0] : 0
}

const oneLine = (message: string): string => message.replace(/\s+/g, ' ').trim()
