export type Environment = Readonly<Record<string, string | undefined>>

export interface Interpolated {
  readonly text: string
  /** Index into the text as it stood before. */
  readonly mistakes: readonly {
    readonly index: number
    readonly what: string
    readonly right: string
  }[]
}

const reference = /\$\$\{|\$\{([^}]*)(\}?)/g

/**
 * Puts in `${NAME}` and `${NAME:-default}` (used when the variable is not set or empty); `$${` stands for `${`.
 * Values are put in as text after YAML was parsed, so that no value can change the shape of the config.
 */
export function interpolate(text: string, env: Environment): Interpolated {
  const mistakes: { index: number; what: string; right: string }[] = []
  const result = text.replace(
    reference,
    (all: string, inner: string, close: string, index: number) => {
      if (all === '$${') return '${'
      const [, name, fallback] = /^([A-Za-z_][A-Za-z0-9_]*)(?::-([\s\S]*))?$/.exec(inner) ?? []
      if (name === undefined || close === '') {
        mistakes.push({
          index,
          what: `"${all}" names no environment variable`,
          right: 'write ${NAME} or ${NAME:-default}; $${ stands for ${',
        })
        return ''
      }
      const value = env[name]
      if (fallback !== undefined) return value === undefined || value === '' ? fallback : value
      if (value !== undefined) return value
      mistakes.push({
        index,
        what: `environment variable ${name} is not set`,
        right: `set it, or give a default: \${${name}:-default}`,
      })
      return ''
    },
  )
  return { text: result, mistakes }
}

/** What an unquoted YAML scalar of that text is. */
export function plainValue(text: string): string | number | boolean | null {
  if (/^[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?$/.test(text)) return Number(text)
  if (text === 'true' || text === 'false') return text === 'true'
  return text === '' || text === 'null' || text === '~' ? null : text
}
