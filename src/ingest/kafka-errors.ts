import { type ErrorCode, WardenError } from '../core/errors.ts'

/** Wrong until a person changes something: credentials, rights, certificates. */
const refused = new Set([
  'SASL_AUTHENTICATION_FAILED',
  'UNSUPPORTED_SASL_MECHANISM',
  'ILLEGAL_SASL_STATE',
  'TOPIC_AUTHORIZATION_FAILED',
  'GROUP_AUTHORIZATION_FAILED',
  'CLUSTER_AUTHORIZATION_FAILED',
])

/** Node's codes for a certificate that is not believed. */
const certificate =
  /^(CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_(GET|VERIFY)|ERR_TLS_CERT|ERR_SSL_.*(CERTIFICATE|UNKNOWN_CA))/

/** Names of protocol errors that mean: no right to. */
export const isRefusal = (error: string): boolean => refused.has(error)

/** Who logs in, and how. */
export interface KafkaLogin {
  readonly mechanism: string
  readonly username: string
}

/**
 * The one place that says what an error of the client library means.
 * @param broker `host:port`
 * @param login given for errors while connecting
 */
export function classifyKafkaError(
  error: unknown,
  broker: string,
  login?: KafkaLogin,
): WardenError {
  if (error instanceof WardenError) return error
  const chain = [...causes(error)]
  const names = chain.map((one) => text(one, 'apiId'))
  const codes = chain.map((one) => text(one, 'code'))
  const detail = detailOf(chain)
  const raise = (code: ErrorCode, message: string): WardenError =>
    new WardenError(code, `Kafka broker ${broker}: ${message}`, { cause: error })
  const refusal =
    login === undefined
      ? detail
      : `user ${login.username} is refused with ${login.mechanism}: ${detail}`

  if (names.some(isRefusal)) return raise('source_auth', refusal)
  if (names.includes('UNSUPPORTED_VERSION')) {
    return raise('source_unsupported', `too old (Warden needs Kafka 3.1 or newer): ${detail}`)
  }
  if (codes.some((code) => certificate.test(code))) {
    return raise('source_auth', `its TLS certificate is not trusted: ${detail}`)
  }
  // The library also calls it a failed authentication when the broker goes away in the middle of one.
  const wasCutOff = codes.some((code) => /^(E[A-Z]+|PLT_KFK_TIMEOUT)$/.test(code))
  const closed = chain.some((one) => /Connection closed|socket/i.test(one.message))
  if (codes.includes('PLT_KFK_AUTHENTICATION') && !wasCutOff && !closed) {
    return raise('source_auth', refusal)
  }
  return raise('source_unreachable', detail)
}

/** The error and what caused it, outermost first. */
function* causes(error: unknown, depth = 0): Generator<Error> {
  if (!(error instanceof Error) || depth > 8) return
  yield error
  if (error instanceof AggregateError) {
    for (const one of error.errors) yield* causes(one, depth + 1)
  }
  yield* causes(error.cause, depth + 1)
}

/** The innermost message: the outer ones only repeat that it failed. */
function detailOf(chain: readonly Error[]): string {
  const inner = chain.at(-1)
  if (inner === undefined) return 'unknown error'
  const server = text(inner, 'serverErrorMessage')
  const name = text(inner, 'apiId') || text(inner, 'code')
  const message = server || inner.message || inner.name
  return name === '' || message.includes(name) ? message : `${message} (${name})`
}

function text(error: Error, key: string): string {
  const value: unknown = Reflect.get(error, key)
  return typeof value === 'string' ? value : ''
}
