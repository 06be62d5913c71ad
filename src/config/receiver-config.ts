import type { Template } from '../core/template.ts'
import type { DurationMs } from '../core/time.ts'
import type { Secret } from './secret.ts'

interface ReceiverBase {
  readonly name: string
  readonly timeoutMs: DurationMs
  readonly language: 'en' | 'zh'
  /** IANA name. */
  readonly timezone: string
  readonly title: Template | undefined
  readonly summary: Template | undefined
}

export interface FeishuReceiverConfig extends ReceiverBase {
  readonly type: 'feishu'
  readonly url: Secret
  readonly secret: Secret | undefined
  readonly keyword: string | undefined
  readonly format: 'card' | 'post' | 'text'
  readonly mention: readonly string[]
}

export interface WebhookReceiverConfig extends ReceiverBase {
  readonly type: 'webhook'
  readonly url: Secret
  readonly secret: Secret | undefined
  readonly headers: Readonly<Record<string, Secret>>
}

export interface AlertmanagerReceiverConfig extends ReceiverBase {
  readonly type: 'alertmanager'
  /** Without a slash at its end. */
  readonly url: string
  readonly headers: Readonly<Record<string, Secret>>
}

export interface EmailReceiverConfig extends ReceiverBase {
  readonly type: 'email'
  readonly host: string
  readonly port: number
  readonly tls: 'starttls' | 'always' | 'never'
  readonly username: string | undefined
  readonly password: Secret | undefined
  readonly from: string
  readonly to: readonly string[]
}

export type ReceiverConfig =
  | FeishuReceiverConfig
  | WebhookReceiverConfig
  | AlertmanagerReceiverConfig
  | EmailReceiverConfig

export interface NotificationsConfig {
  /** Without a slash at its end; undefined: no buttons that do something. */
  readonly publicUrl: string | undefined
  readonly dashboard: Template | undefined
  readonly maxWaiting: number
  readonly watchdog:
    | { readonly everyMs: DurationMs; readonly receivers: readonly string[] }
    | undefined
}
