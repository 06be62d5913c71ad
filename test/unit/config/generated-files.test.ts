import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import Schema from 'typebox/schema'
import { parse, stringify } from 'yaml'
import { explain } from '../../../src/config/explain.ts'
import { loadConfig } from '../../../src/config/file-config.ts'
import { type Json, jsonSchema, jsonSchemaText } from '../../../src/config/json-schema.ts'
import { manual } from '../../../src/config/manual.ts'
import { planOf } from '../../../src/config/plan.ts'
import { readDocument } from '../../../src/config/read/document.ts'
import { SchemaReader } from '../../../src/config/read/schema-reader.ts'
import { type SchemaView, viewOf } from '../../../src/config/read/schema-view.ts'
import { configSchema } from '../../../src/config/schema.ts'

const root = fileURLToPath(new URL('../../../', import.meta.url))
const examples = readdirSync(`${root}config`).filter((name) => name.endsWith('.yaml'))
const editorSchema = Schema.Compile(jsonSchema() as Parameters<typeof Schema.Compile>[0])

describe('files made from the config schema', () => {
  it('are as the schema is: npm run schema', () => {
    assert.equal(readFileSync(`${root}config/warden.schema.json`, 'utf8'), jsonSchemaText())
    assert.equal(readFileSync(`${root}docs/configuration.md`, 'utf8'), manual())
  })

  it('describe every key', () => {
    const missing: string[] = []
    const visit = (schema: SchemaView, path: string): void => {
      for (const [key, one] of Object.entries(schema.properties ?? {})) {
        if (!one.description) missing.push(`${path}.${key}`)
        visit(one, `${path}.${key}`)
      }
      for (const one of schema.anyOf ?? []) visit(one, path)
      for (const one of Object.values(schema.patternProperties ?? {})) visit(one, `${path}.*`)
      if (schema.items !== undefined) visit(schema.items, `${path}[]`)
    }
    visit(viewOf(configSchema), '')
    assert.deepEqual(missing, [])
  })
})

describe('an example config', () => {
  for (const name of examples) {
    const text = readFileSync(`${root}config/${name}`, 'utf8')

    it(`loads without a variable set, and is explained: ${name}`, () => {
      const config = loadConfig(`${root}config/${name}`, {})
      const words = explain(config, planOf(config))
      for (const { name: part } of [...config.sources, ...config.metrics, ...config.sinks]) {
        assert.ok(words.includes(part), part)
      }
    })

    it(`is right for editors: ${name}`, () => {
      assert.match(text, /^# yaml-language-server: \$schema=\.\/warden\.schema\.json\n/)
      assert.deepEqual(editorSchema.Errors(parse(text))[1], [])
    })
  }
})

describe('the reader and the editor schema', () => {
  const texts = examples.map((name) => parse(readFileSync(`${root}config/${name}`, 'utf8')) as Json)

  /** Every place in a document. */
  function placesOf(value: Json, place: readonly (string | number)[] = []): (typeof place)[] {
    if (typeof value !== 'object' || value === null) return [place]
    const inner = Array.isArray(value) ? [...value.entries()] : Object.entries(value)
    return [place, ...inner.flatMap(([key, one]) => placesOf(one, [...place, key]))]
  }

  function changed(value: Json, place: readonly (string | number)[], to: Json | undefined): Json {
    const [key, ...rest] = place
    if (key === undefined) return to ?? null
    const copy = Array.isArray(value) ? value.slice() : { ...(value as Record<string, Json>) }
    const at = copy as Record<string | number, Json>
    if (rest.length > 0) at[key] = changed(at[key] ?? null, rest, to)
    else if (to !== undefined) at[key] = to
    else if (Array.isArray(copy)) copy.splice(Number(key), 1)
    else delete at[key]
    return copy as Json
  }

  const junk = fc.oneof(
    fc.constant(undefined),
    fc.constantFrom<Json>('x', '20s', '1MiB', '5%', '', 'kafka', 'best', 'latest', 'count'),
    fc.constantFrom<Json>(-1, 0, 7, 1.5, 1e12, true, false, null, [], {}, ['x'], { x: 'y' }, [7]),
  )

  /** What JSON Schema cannot say, or says otherwise on purpose. */
  const beyondSchema =
    /is not an? (address|broker|instant|HTTP URL)|clear text|cannot be read|time zone|where the name of a field belongs|is not expected here|where field .* has to be compared|means nothing in a filter|the text is empty|stands where/

  it('take and refuse the same documents', () => {
    fc.assert(
      fc.property(fc.constantFrom(...texts), fc.nat(), junk, (text, index, to) => {
        const places = placesOf(text).filter((place) => place.length > 0)
        const place = places[index % places.length] ?? []
        const document = changed(text, place, to)
        const read = readDocument(stringify(document), 'x.yaml', {})
        if (read.root === undefined) return
        const reader = new SchemaReader(read.problems, {
          resolvePath: (one) => one,
          readFile: () => 'x',
        })
        reader.read(configSchema, read.root)
        const found = read.problems.found
        if (found.some((one) => beyondSchema.test(one.what))) return
        // A text with a variable was put in already.
        const fine = editorSchema.Check(document)
        assert.equal(
          found.length === 0,
          fine,
          `${place.join('.')} = ${JSON.stringify(to)}: ${JSON.stringify(found)}`,
        )
      }),
      { numRuns: 200 },
    )
  })
})
