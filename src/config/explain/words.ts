import type { TlsConfig } from '../config.ts'
import type { ListenAddress } from '../schema/fields.ts'

const labelWidth = 14

/** A line `  label   text`; none for an empty text. */
export const row = (label: string, text: string): string[] =>
  text === '' ? [] : [`  ${label.padEnd(labelWidth)}${text}`]

export const secured = (tls: TlsConfig | undefined, mechanism: string | undefined): string => {
  const parts = [
    ...(tls === undefined ? [] : [tls.rejectUnauthorized ? 'TLS' : 'TLS without verification']),
    ...(mechanism === undefined ? [] : [`SASL ${mechanism}`]),
  ]
  return parts.length === 0 ? '' : ` (${parts.join(', ')})`
}

export const token = (value: unknown): string => (value === undefined ? '' : ' (with a token)')

export const address = ({ host, port }: ListenAddress): string =>
  `${host.includes(':') ? `[${host}]` : host}:${port}`
