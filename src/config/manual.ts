import { textFormats } from './read/formats.ts'
import { discriminatorOf, isRequired, range, type SchemaView, viewOf } from './read/schema-view.ts'
import { configSchema } from './schema.ts'

/** The manual of the config, `docs/configuration.md`: every key with its value, default and meaning, from the schema. */
export function manual(): string {
  const root = viewOf(configSchema)
  const writer = new ManualWriter()
  const parts = Object.entries(root.properties ?? {}).flatMap(([key, one]) =>
    writer.part(key, one, 2),
  )
  return `${[introduction, table(root), ...parts, filters].join('\n\n')}\n`
}

const introduction = `<!-- Generated from src/config/schema by \`npm run schema\`; do not edit. -->
# Configuration

A config is one YAML file; JSON is YAML too. \`warden check -c FILE\` reads it and names everything that is wrong at once, as
\`file:line:column: what is wrong; what would be right\`. \`warden explain -c FILE\` tells what it means. Unknown keys are errors.

- **Editors** complete and check keys with the first line \`# yaml-language-server: $schema=./warden.schema.json\`.
- **Durations** have a unit: \`500ms\`, \`20s\`, \`10m\`, \`1h30m\`, \`7d\`, \`1w\`. **Sizes** too: \`64KiB\`, \`1MiB\`, \`1GiB\`, \`500MB\`.
- **Paths of files** start at the directory of the config file.
- **Addresses**: \`host:port\`, \`[::1]:4280\`. **Instants**: \`2026-11-20T00:00:00Z\`. **Percentages**: \`5%\`.
- **Paths of fields** are dotted, outermost key first: \`ext.channel\`; a key with other characters in quotes: \`ext."a.b"\`.
- **Variables**: \`\${NAME}\` and \`\${NAME:-default}\` (not set or empty) are put into any value, but never into keys, and cannot change the
  shape of the file. \`$\${\` stands for \`\${\`.
- **Secrets** are \`\${NAME}\` or \`{ file: path }\`, never the text itself; no log, error or \`explain\` shows them.
- **Anchors**, aliases and merge keys (\`<<: *name\`) work as YAML has them.

Examples that run: \`config/minimal.yaml\`, \`config/demo.yaml\`, \`config/http.yaml\`, \`config/file.yaml\`, \`config/enriched.yaml\`, and with comments \`config/kafka-opentsdb.yaml\`.`

const filters = `## Filters

\`where\` holds a filter. It is compiled once; a field that is missing makes every comparison but \`!=\` false.

| Written | True when the field |
|---|---|
| \`event == "loan"\`, \`event != 'loan'\` | is that value, or is not (or is missing). Types are JSON's: \`"200"\` is not \`200\` |
| \`amount >= 100\`, also \`<\`, \`<=\`, \`>\` | is a number (or a text, by code unit) in that order |
| \`channel in ["app", "h5"]\`, \`channel not in [1, 2]\` | is one of the values, or none of them |
| \`exists(ext.ref)\` | is there and not null |
| \`product =~ "^cash"\`, \`product matches "^cash"\`, \`product !~ "^cash"\` | matches the regular expression (JavaScript's, with flag \`u\`), anywhere in the text unless anchored; or does not |
| \`a and b\`, \`a or b\`, \`not a\`, also \`&&\`, \`\\|\\|\`, \`!\`, with parentheses | \`not\` binds tighter than \`and\`, \`and\` than \`or\` |

Values are texts in double or single quotes, numbers, \`true\`, \`false\` and \`null\`. In texts \`\\"\`, \`\\'\`, \`\\\\\`, \`\\n\`, \`\\t\`, \`\\r\` and \`\\uXXXX\`
are escapes; any other backslash stays, so that patterns need no doubling: \`"\\d+"\`. A filter that begins with \`!\` or a quote, or contains
\`: \` or \` #\`, must stand in YAML quotes or in a block (\`where: |-\`).

\`\`\`yaml
where: event == "loan" and amount >= 100 and (channel in ["app", "h5"] or not exists(ext.ref)) and product =~ "^cash"
\`\`\``

/** Writes each section once; where the same keys come again it names the first place. */
class ManualWriter {
  readonly #placeOf = new Map<string, string>()

  /** Headings and tables of a key, where it is a section; nothing for a plain value. */
  part(path: string, schema: SchemaView, depth: number): string[] {
    if (schema.textOf !== undefined) return []
    if (schema.type === 'object') {
      if (schema.properties !== undefined) return this.#headed(path, path, schema, depth)
      const [inner] = Object.values(schema.patternProperties ?? {})
      return inner === undefined ? [] : this.part(`${path}.<name>`, inner, depth)
    }
    if (schema.type === 'array') return this.part(`${path}[]`, schema.items ?? {}, depth)
    const options = (schema.anyOf ?? []).filter((one) => one.type !== 'string')
    const description = schema.description ?? ''
    const key = discriminatorOf(options)
    if (key === undefined) {
      return options.flatMap((one) => this.part(path, { ...one, description }, depth))
    }
    const shapes = options.flatMap((one) => {
      const word = one.properties?.[key]
      const title = `${path} of ${key}: ${word?.const}`
      const meaning = word?.description ?? ''
      return this.#headed(title, path, { ...one, description: meaning }, depth + 1)
    })
    return [heading(path, depth), description, ...shapes]
  }

  #headed(title: string, path: string, schema: SchemaView, depth: number): string[] {
    const keys = JSON.stringify(schema.properties)
    const place = this.#placeOf.get(keys)
    const head = [heading(title, depth), schema.description ?? '']
    if (place === title) return []
    if (place !== undefined) return [...head, `The keys are those of \`${place}\`.`]
    this.#placeOf.set(keys, title)
    const inner = Object.entries(schema.properties ?? {}).flatMap(([key, one]) =>
      this.part(`${path}.${key}`, one, Math.min(depth + 1, 5)),
    )
    return [...head, table(schema), ...inner]
  }
}

const heading = (title: string, depth: number): string => `${'#'.repeat(depth)} \`${title}\``

function table(schema: SchemaView): string {
  const rows = Object.entries(schema.properties ?? {}).map(([key, one]) => {
    const usual = isRequired(schema, key) ? '**needed**' : defaultText(one)
    const meaning = one.const === undefined ? (one.description ?? '') : ''
    return `| \`${key}\` | ${cell(valueText(one))} | ${usual} | ${cell(meaning)} |`
  })
  return ['| Key | Value | Default | Meaning |', '|---|---|---|---|', ...rows].join('\n')
}

const defaultText = (schema: SchemaView): string => {
  if (schema.default === undefined) return ''
  const { default: usual } = schema
  if (typeof usual === 'object') {
    const text = JSON.stringify(usual)
    return text === '{}' ? 'as below' : `\`${text}\``
  }
  return `\`${String(usual)}\``
}

function valueText(schema: SchemaView): string {
  // The examples stand at the top of the manual.
  if (schema.textOf !== undefined) return textFormats[schema.textOf].written.replace(/ \(.*\)$/, '')
  if (schema.enum !== undefined) return schema.enum.map((one) => `\`${one}\``).join(', ')
  if (schema.const !== undefined) return `\`${schema.const}\``
  if (schema.anyOf !== undefined) return [...new Set(schema.anyOf.map(valueText))].join(' or ')
  switch (schema.type) {
    case 'object':
      return schema.properties === undefined ? namesText(schema) : 'section'
    case 'array':
      return `list: ${valueText(schema.items ?? {})}`
    case 'boolean':
      return '`true`, `false`'
    case 'integer':
      return `whole number${range(schema)}`
    case 'number':
      return `number${range(schema)}`
    default:
      return 'text'
  }
}

function namesText(schema: SchemaView): string {
  const [inner] = Object.values(schema.patternProperties ?? {})
  return `name: ${inner === undefined ? 'value' : valueText(inner)}`
}

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ')
