import { parseTemplate, type Template } from '../core/template.ts'
import type { NotificationsConfig, ReceiverConfig } from './receiver-config.ts'
import type { ConfigDocument } from './schema.ts'

type ReceiverDocument = ConfigDocument['receivers'][string]

export function resolveReceivers(
  documents: Readonly<Record<string, ReceiverDocument>>,
): readonly ReceiverConfig[] {
  return Object.entries(documents).map(([name, one]) => resolveReceiver(name, one))
}

function resolveReceiver(name: string, document: ReceiverDocument): ReceiverConfig {
  const { timeout, language, timezone } = document
  const base = {
    name,
    timeoutMs: timeout,
    language,
    timezone,
    title: templateOf(document.title),
    summary: templateOf(document.summary),
  }
  switch (document.type) {
    case 'feishu': {
      const { url, secret, keyword, format, mention } = document
      return { ...base, type: 'feishu', url, secret, keyword, format, mention }
    }
    case 'webhook': {
      const { url, secret, headers } = document
      return { ...base, type: 'webhook', url, secret, headers }
    }
    case 'alertmanager': {
      const { url, headers } = document
      return { ...base, type: 'alertmanager', url: withoutSlash(url), headers }
    }
    case 'email': {
      const { host, port, tls, username, password, from, to } = document
      return { ...base, type: 'email', host, port, tls, username, password, from, to }
    }
  }
}

export function resolveNotifications(
  document: ConfigDocument['notifications'],
): NotificationsConfig {
  const { publicUrl, dashboard, maxWaiting, watchdog } = document
  return {
    publicUrl: publicUrl === undefined ? undefined : withoutSlash(publicUrl),
    dashboard: templateOf(dashboard),
    maxWaiting,
    watchdog: watchdog && { everyMs: watchdog.every, receivers: watchdog.receivers },
  }
}

/** A template that was checked already. */
function templateOf(text: string | undefined): Template | undefined {
  const template = text === undefined ? undefined : parseTemplate(text)
  return template === undefined || 'problem' in template ? undefined : template
}

const withoutSlash = (url: string): string => url.replace(/\/+$/, '')
