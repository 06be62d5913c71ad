import { parseDuration } from '../../core/time.ts'
import type { ListenAddress, TextOf } from '../schema/fields.ts'
import { parseFieldPath, parseWhere } from '../where.ts'
import type { Parsed } from '../where-tokens.ts'
import { isoInstant, parseInstant } from './instants.ts'

/** What a text means, or why it means nothing. */
export type Meaning =
  | { readonly kind: 'ok'; readonly value: unknown }
  | {
      readonly kind: 'wrong'
      readonly what: string
      readonly right: string
      /** Index of the wrong character in the text. */
      readonly at?: number
    }

export interface TextFormat {
  /** Regular expression for editors; undefined where it would say nothing. */
  readonly pattern?: string
  /** How it is written, for the manual. */
  readonly written: string
  /** @param resolvePath makes a path absolute, against the directory of the config file */
  readonly read: (text: string, resolvePath: (path: string) => string) => Meaning
}

const ok = (value: unknown): Meaning => ({ kind: 'ok', value })
const wrong = (what: string, right: string, at?: number): Meaning => ({
  kind: 'wrong',
  what,
  right,
  ...(at === undefined ? {} : { at }),
})

const byteUnits: Readonly<Record<string, number>> = {
  B: 1,
  kB: 1e3,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
}

/** Bytes of `1MiB`, `500 kB`; undefined when the text is no size. */
export function parseBytes(text: string): number | undefined {
  const [, amount, unit] = /^(\d+(?:\.\d+)?) ?([kKMGT]?i?B)$/.exec(text) ?? []
  const factor = unit === undefined ? undefined : byteUnits[unit]
  if (amount === undefined || factor === undefined) return undefined
  const size = Math.round(Number(amount) * factor)
  return Number.isSafeInteger(size) ? size : undefined
}

/** Host and port of `127.0.0.1:4280`, `[::1]:4280`; undefined when the text is neither. */
export function parseListen(text: string): ListenAddress | undefined {
  const [, six, host, digits] =
    /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:/[\]]+)):(\d{1,5})$/.exec(text) ?? []
  const port = Number(digits)
  const name = six ?? host
  return name === undefined || port > 65_535 ? undefined : { host: name, port }
}

const matching =
  (pattern: RegExp, what: string, right: string) =>
  (text: string): Meaning =>
    pattern.test(text) ? ok(text) : wrong(`"${text}" ${what}`, right)

const nameRule = 'use A-Z a-z 0-9 . _ - only, begin with a letter, at most 100 characters'
const tagRule = 'use A-Z a-z 0-9 . _ / - only'

/** How each kind of text is written and read. */
export const textFormats: Readonly<Record<TextOf, TextFormat>> = {
  duration: {
    pattern: '^(\\d+(\\.\\d+)?(ms|s|m|h|d|w))+$',
    written: 'duration (`500ms`, `20s`, `1h30m`, `7d`)',
    read: (text) => {
      const ms = parseDuration(text)
      if (ms !== undefined) return ok(ms)
      const right = /^\d+(\.\d+)?$/.test(text)
        ? `give it a unit: ${text}s, ${text}m or ${text}ms`
        : 'write a number with ms, s, m, h, d or w, such as 20s or 1h30m'
      return wrong(`"${text}" is not a duration`, right)
    },
  },
  bytes: {
    pattern: '^\\d+(\\.\\d+)? ?([kKMGT]?i?B)$',
    written: 'size (`64KiB`, `1MiB`, `1GiB`, `500MB`)',
    read: (text) => {
      const size = parseBytes(text)
      if (size !== undefined && size > 0) return ok(size)
      const right = /^\d+$/.test(text)
        ? `give it a unit: ${text}B, ${text}KiB or ${text}MiB`
        : 'write a number above 0 with B, KiB, MiB or GiB, such as 1MiB'
      return wrong(`"${text}" is not a size in bytes`, right)
    },
  },
  percentage: {
    pattern: '^\\d+(\\.\\d+)?%$',
    written: 'percentage (`5%`)',
    read: (text) => {
      const percent = /^\d+(\.\d+)?%$/.test(text) ? Number(text.slice(0, -1)) : Number.NaN
      return percent >= 0 && percent <= 100
        ? ok(percent / 100)
        : wrong(`"${text}" is not a percentage`, 'write 0% to 100%, such as 5%')
    },
  },
  listen: {
    written: 'address (`127.0.0.1:4280`, `[::1]:4280`)',
    read: (text) => {
      const address = parseListen(text)
      return address === undefined
        ? wrong(
            `"${text}" is not an address to listen on`,
            'write host:port, such as 127.0.0.1:4280',
          )
        : ok(address)
    },
  },
  instant: {
    pattern: isoInstant.source,
    written: 'instant (`2026-11-20T00:00:00Z`)',
    read: (text) => {
      const at = parseInstant(text)
      return at === undefined
        ? wrong(
            `"${text}" is not an instant`,
            'write ISO 8601 with a zone, such as 2026-11-20T00:00:00Z',
          )
        : ok(at)
    },
  },
  path: {
    written: 'path (`userId`, `ext.channel`, `ext."a.b"`)',
    read: (text) => parsed(parseFieldPath(text), (path) => path),
  },
  filter: {
    written: 'filter (`event == "loan" and amount >= 100`)',
    read: (text) => parsed(parseWhere(text), (condition) => ({ text, condition })),
  },
  // Read by the reader itself: they may be sections.
  secret: { written: '`${ENV_NAME}` or `{ file: path }`', read: ok },
  certificate: { written: 'PEM text, `${ENV_NAME}` or `{ file: path }`', read: ok },
  url: {
    pattern: '^https?://[^\\s]+$',
    written: 'URL (`http://127.0.0.1:4242`)',
    read: (text) => {
      const right = 'write http://host:port or https://host:port'
      const parsedUrl = URL.canParse(text) ? new URL(text) : undefined
      if (parsedUrl === undefined || !/^https?:$/.test(parsedUrl.protocol)) {
        return wrong('this is not an HTTP URL', right)
      }
      // Not the text: it holds the password.
      if (parsedUrl.username !== '' || parsedUrl.password !== '') {
        return wrong('the URL carries a user name or password', right)
      }
      return ok(text.replace(/\/+$/, ''))
    },
  },
  'redis-url': {
    pattern: '^rediss?://[^\\s]+$',
    written: 'URL of a Redis (`redis://127.0.0.1:6379/0`)',
    read: (text) => {
      const right = 'write redis://host:port or redis://host:port/database (rediss:// with TLS)'
      const parsedUrl = URL.canParse(text) ? new URL(text) : undefined
      if (parsedUrl === undefined || !/^rediss?:$/.test(parsedUrl.protocol)) {
        return wrong('this is not the URL of a Redis', right)
      }
      // Not the text: it holds the password.
      if (parsedUrl.username !== '' || parsedUrl.password !== '') {
        return wrong(
          'the URL carries a user name or password',
          `${right}; username and password have keys of their own`,
        )
      }
      if (!/^(\/\d*)?$/.test(parsedUrl.pathname) || parsedUrl.hostname === '')
        return wrong('this is not the URL of a Redis', right)
      return ok(text.replace(/\/+$/, ''))
    },
  },
  broker: {
    written: 'broker (`host:port`)',
    read: (text) => {
      const address = parseListen(text)
      return address === undefined || address.port === 0
        ? wrong(`"${text}" is not a broker`, 'write host:port, such as 127.0.0.1:9092')
        : ok(text)
    },
  },
  file: {
    written: 'path of a file',
    read: (text, resolvePath) => ok(resolvePath(text)),
  },
  timezone: {
    written: 'IANA zone (`Asia/Shanghai`)',
    read: (text) => {
      try {
        new Intl.DateTimeFormat('en-US', { timeZone: text })
        return ok(text)
      } catch {
        return wrong(
          `"${text}" is no time zone`,
          'write an IANA name, such as Asia/Shanghai or UTC',
        )
      }
    },
  },
  name: {
    pattern: '^[A-Za-z][A-Za-z0-9._-]{0,99}$',
    written: 'name',
    read: matching(/^[A-Za-z][A-Za-z0-9._-]{0,99}$/, 'is not a legal name', nameRule),
  },
  'tag-name': {
    pattern: '^[A-Za-z0-9._/-]+$',
    written: 'tag name',
    read: matching(/^[A-Za-z0-9._/-]+$/, 'is not a legal tag name', tagRule),
  },
  'tag-value': { written: 'text', read: ok },
  prefix: {
    pattern: '^[A-Za-z0-9._/-]*$',
    written: 'prefix (`warden.`)',
    read: matching(/^[A-Za-z0-9._/-]*$/, 'is not a legal prefix', tagRule),
  },
}

function parsed<T>(result: Parsed<T>, meaning: (value: T) => unknown): Meaning {
  if (result.kind === 'ok') return ok(meaning(result.value))
  const { what, right, at } = result.mistake
  return wrong(what, right, at)
}

/** The shortest text of a size that is exact, for people: `1MiB`. */
export function formatBytes(size: number): string {
  for (const unit of ['TiB', 'GiB', 'MiB', 'KiB']) {
    const factor = byteUnits[unit] ?? 1
    if (size >= factor) return `${Number((size / factor).toFixed(1))}${unit}`
  }
  return `${size}B`
}
