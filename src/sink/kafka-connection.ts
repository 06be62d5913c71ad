import type { KafkaConfig, SASLOptions } from 'kafkajs'

/** How the brokers of a sink are reached. */
export interface KafkaSinkConnection {
  /** `host:port` of some brokers. */
  readonly brokers: readonly string[]
  /** PEM texts; undefined: plain text. */
  readonly tls:
    | {
        readonly ca: string | undefined
        readonly cert: string | undefined
        readonly key: string | undefined
        readonly servername: string | undefined
        readonly rejectUnauthorized: boolean
      }
    | undefined
  readonly sasl:
    | {
        readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512'
        readonly username: string
        readonly password: string
      }
    | undefined
}

/** The connection as kafkajs takes it. */
export function kafkaConfig({ brokers, tls, sasl }: KafkaSinkConnection): KafkaConfig {
  const given = Object.entries(tls ?? {}).filter(([, value]) => value !== undefined)
  return {
    brokers: [...brokers],
    ...(tls === undefined ? {} : { ssl: Object.fromEntries(given) }),
    ...(sasl === undefined ? {} : { sasl: sasl as SASLOptions }),
  }
}
