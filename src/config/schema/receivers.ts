import Type from 'typebox'
import {
  duration,
  either,
  list,
  oneOf,
  optional,
  secret,
  section,
  tag,
  timezone,
  url,
  whole,
  words,
} from './fields.ts'

const timeout = duration(
  'Longest wait for an answer; a message that got none is tried again with three times as long, up to a minute.',
  { default: '10s' },
)

const reading = {
  language: oneOf(['en', 'zh'], 'Language of the words that Warden adds.', { default: 'en' }),
  timezone: timezone('Zone of the times in messages.', { default: 'UTC' }),
  title: optional(
    words(
      'Title in place of Warden’s own: a text with `{{ path }}` or `{{ path | "fallback" }}`; docs/feishu.md has the paths. Where it can’t be used, Warden’s own is.',
      { examples: ['{{ severity }} {{ metric }} {{ tags.product | "all" }}'] },
    ),
  ),
  summary: optional(words('Text above the alerts, written as `title` is.')),
}

const headers = Type.Record(Type.String(), secret('Value of the header.'), {
  description: 'Headers of every request, by name.',
  default: {},
  examples: [{ Authorization: '${AUTHORIZATION}' }],
})

const feishu = section(
  {
    type: tag('feishu', 'A custom bot in a group of Feishu or Lark.'),
    url: secret('Address of the bot, which holds its token: `${ENV_NAME}` or `{ file: path }`.'),
    secret: optional(secret('Key of the signature, where the bot asks for one.')),
    keyword: optional(words('Word that the bot asks for; it is added where it is missing.')),
    format: oneOf(['card', 'post', 'text'], 'Shape of a message.', { default: 'card' }),
    mention: list(
      words('Open id of a person, or `all`.'),
      'Who is called by name when it is critical, or nobody acknowledged.',
      { default: [] },
    ),
    timeout,
    ...reading,
  },
  'Feishu or Lark: at most 5 messages a second and 100 a minute; more become a digest.',
)

const webhook = section(
  {
    type: tag('webhook', 'Any system that takes JSON by POST.'),
    url: secret('Its address: `${ENV_NAME}` or `{ file: path }`.'),
    secret: optional(
      secret('Key of the HMAC-SHA256 in the header `X-Warden-Signature`. Left out: unsigned.'),
    ),
    headers,
    timeout,
    ...reading,
  },
  'A webhook. 2xx is a success.',
)

const alertmanager = section(
  {
    type: tag('alertmanager', 'Prometheus’ Alertmanager, API v2.'),
    url: url('Its address, without `/api`.', { examples: ['http://127.0.0.1:9093'] }),
    headers,
    timeout,
    ...reading,
  },
  'Alertmanager.',
)

const email = section(
  {
    type: tag('email', 'E-mail by SMTP.'),
    host: words('Name of the SMTP server.', { examples: ['smtp.example.com'] }),
    port: whole('Its port.', { default: 587, minimum: 1, maximum: 65_535 }),
    tls: oneOf(
      ['starttls', 'always', 'never'],
      '`starttls`: refused without it; `always`: from the first byte (port 465); `never`: for a relay on this machine.',
      { default: 'starttls' },
    ),
    username: optional(words('User name, with `password`.')),
    password: optional(secret('Password: `${ENV_NAME}` or `{ file: path }`.')),
    from: words('Address of the sender.', { examples: ['warden@example.com'] }),
    to: list(words('An address.'), 'Who gets it.', { minItems: 1 }),
    timeout,
    ...reading,
  },
  'E-mail.',
)

export const receivers = Type.Record(
  Type.String(),
  either([feishu, webhook, alertmanager, email], 'Who is told; `type` says how.'),
  {
    description: 'Who can be told, by name; `alerts.route` says who is told of what.',
    default: {},
  },
)

export const notifications = section(
  {
    publicUrl: optional(
      url(
        'Address at which people reach `server.listen`, for the buttons of a card. Left out: there are no buttons that silence or acknowledge.',
        { examples: ['https://warden.example.com'] },
      ),
    ),
    dashboard: optional(
      words(
        'Address of the dashboard, with `{{ from }}` and `{{ to }}` (ms; `from.seconds`, `to.seconds`), `{{ job }}`, `{{ metric }}`, `{{ aggregate }}`, `{{ tags.NAME }}`: fixed to the window, with one before and one after.',
        {
          examples: [
            'https://grafana.example.com/d/warden?from={{ from }}&to={{ to }}&var-product={{ tags.product }}',
          ],
        },
      ),
    ),
    maxWaiting: whole(
      'Notifications that wait for a receiver at most; beyond it the oldest are given up, and the next message says how many.',
      { default: 10_000, minimum: 10, maximum: 1_000_000 },
    ),
    watchdog: optional(
      section(
        {
          every: duration('Time between heartbeats, at least 1m.', { default: '1d' }),
          receivers: list(words('Name of a receiver.'), 'Who gets them.', { minItems: 1 }),
        },
        'A heartbeat on the way of the alerts, so that silence means that nothing is wrong.',
      ),
    ),
  },
  'How messages leave.',
  { default: {} },
)
