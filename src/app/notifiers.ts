import type { LinkMaker } from '../alert/notify/links/link-maker.ts'
import type { MessageStyle } from '../alert/notify/message/message-style.ts'
import { TimeText } from '../alert/notify/message/time-text.ts'
import { wordsOf } from '../alert/notify/message/words.ts'
import type { Notifier } from '../alert/notify/notifier.ts'
import { AlertmanagerNotifier } from '../alert/notify/senders/alertmanager-notifier.ts'
import { FeishuNotifier } from '../alert/notify/senders/feishu-notifier.ts'
import { WebhookNotifier } from '../alert/notify/senders/http-webhook-notifier.ts'
import { SmtpNotifier } from '../alert/notify/senders/smtp-notifier.ts'
import type { Config } from '../config/config.ts'
import type { ReceiverConfig } from '../config/receiver-config.ts'
import type { Secret } from '../config/secret.ts'
import type { Clock } from '../core/telemetry.ts'

/** What brings messages to a receiver of the config. @param links undefined: no buttons that do something */
export function createNotifier(
  receiver: ReceiverConfig,
  { job, notifications }: Pick<Config, 'job' | 'notifications'>,
  links: LinkMaker | undefined,
  clock: Clock,
): Notifier {
  const { name, timeoutMs, title, summary } = receiver
  const style: MessageStyle = {
    job,
    words: wordsOf[receiver.language],
    times: new TimeText(receiver.timezone),
    title,
    summary,
    dashboard: notifications.dashboard,
    links,
    keyword: receiver.type === 'feishu' ? receiver.keyword : undefined,
  }
  const common = { receiver: name, timeoutMs, style }
  switch (receiver.type) {
    case 'feishu': {
      const { url, secret, format, mention } = receiver
      const bot = { url: url.reveal(), secret: secret?.reveal(), format, mention }
      return new FeishuNotifier({ ...common, ...bot }, clock)
    }
    case 'webhook': {
      const { url, secret, headers } = receiver
      const hook = { url: url.reveal(), secret: secret?.reveal(), headers: revealed(headers) }
      return new WebhookNotifier({ ...common, ...hook }, clock)
    }
    case 'alertmanager': {
      const { url, headers } = receiver
      const watchdogMs = notifications.watchdog?.everyMs
      return new AlertmanagerNotifier(
        { ...common, url, headers: revealed(headers), watchdogMs },
        clock,
      )
    }
    case 'email': {
      const { host, port, tls, username, password, from, to } = receiver
      const server = { host, port, tls, username, password: password?.reveal() }
      return new SmtpNotifier({ ...common, ...server, from, to }, clock)
    }
  }
}

const revealed = (headers: Readonly<Record<string, Secret>>): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, value.reveal()]))
