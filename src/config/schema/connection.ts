import {
  broker,
  certificate,
  either,
  flag,
  list,
  oneOf,
  optional,
  secret,
  section,
  words,
} from './fields.ts'

export const tls = either(
  [
    flag('`true`: with the certificate authorities of the system.'),
    section(
      {
        ca: optional(
          certificate('Certificate authorities in PEM that are trusted instead of the system’s.'),
        ),
        cert: optional(certificate('Certificate of this client in PEM; with `key`.')),
        key: optional(secret('Private key of this client in PEM; with `cert`.')),
        servername: optional(
          words('Name that the certificate of the server must carry, where it is not the host.'),
        ),
        rejectUnauthorized: flag(
          'Refuse servers whose certificate cannot be verified. `false` is for trials only.',
          {
            default: true,
          },
        ),
      },
      'TLS with these particulars.',
    ),
  ],
  'Encryption of the connection.',
  { default: false },
)

export const sasl = section(
  {
    mechanism: oneOf(['plain', 'scram-sha-256', 'scram-sha-512'], 'SASL mechanism.'),
    username: words('User name.'),
    password: secret('Password: `${ENV_NAME}` or `{ file: path }`.'),
  },
  'Log-in at the brokers.',
)

export const brokers = list(
  broker('`host:port` of a broker.'),
  'Brokers to ask first; the rest are found through them.',
  {
    minItems: 1,
    examples: [['127.0.0.1:9092']],
  },
)
