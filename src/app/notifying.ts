import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import type { AuditLog } from '../alert/notify/audit-log.ts'
import { FencedNotifier } from '../alert/notify/fenced-notifier.ts'
import { FileAuditLog } from '../alert/notify/file-audit-log.ts'
import { HttpLinkMaker } from '../alert/notify/links/http-link-token.ts'
import type { LinkMaker } from '../alert/notify/links/link-maker.ts'
import { NoticeDesk } from '../alert/notify/notice-desk.ts'
import { NoticeOutbox } from '../alert/notify/notice-outbox.ts'
import type { Notifier } from '../alert/notify/notifier.ts'
import { afterPressure } from '../alert/notify/pressure.ts'
import { defaultReceiverCircuit } from '../alert/notify/receiver-circuit.ts'
import { ReceiverDelivery } from '../alert/notify/receiver-delivery.ts'
import { SlidingLimit } from '../alert/notify/sliding-limit.ts'
import { Watchdog } from '../alert/notify/watchdog.ts'
import type { Config } from '../config/config.ts'
import type { ReceiverConfig } from '../config/receiver-config.ts'
import type { StateStore } from '../core/state-store.ts'
import type { Telemetry } from '../core/telemetry.ts'
import type { Tenure } from '../core/tenure.ts'
import { createNotifier } from './notifiers.ts'

/** What lives as long as the job, over restarts of its pipeline: the audit log, the key of the links, and the rates of the bots. */
export interface NotifyingParts {
  readonly audit: AuditLog
  /** undefined: `notifications.publicUrl` is not set. */
  readonly links: LinkMaker | undefined
  readonly limits: ReadonlyMap<string, SlidingLimit>
  /** Nothing is sent unless it is held; undefined: there is one Warden. */
  readonly tenure: Tenure | undefined
  close(): Promise<void>
}

const linkKeyName = 'notice-link-key'
const maxWaitingBytes = 64 * 2 ** 20

/** https://open.feishu.cn/document/client-docs/bot-v3/add-custom-bot: per bot. */
const feishuRate = [
  { messages: 5, perMs: 1_000 },
  { messages: 100, perMs: 60_000 },
]

/** Opens what all lives of the pipeline share; makes the key of the links when there is none yet. */
export async function openNotifying(
  config: Config,
  store: StateStore,
  telemetry: Telemetry,
  tenure?: Tenure,
): Promise<NotifyingParts> {
  const path = join(config.stateDir, 'audit.jsonl')
  const audit = new FileAuditLog(path, telemetry.logger, telemetry.metrics)
  return {
    audit,
    links: await openLinks(config, store),
    limits: limitsOf(config.receivers),
    tenure,
    close: () => audit.close(),
  }
}

/** The desk of one life of the pipeline, restored from the last checkpoint; nothing is sent before `start`. */
export function createNoticeDesk(
  config: Config,
  store: StateStore,
  parts: NotifyingParts,
  telemetry: Telemetry,
): NoticeDesk {
  const { receivers, notifications, job } = config
  const ports = { ...telemetry, random: Math.random, audit: parts.audit }
  const outbox = new NoticeOutbox(
    store,
    receivers.map(({ name }) => name),
  )
  const deliveries = receivers.map((receiver) => {
    const sender: Notifier = createNotifier(receiver, config, parts.links, telemetry.clock)
    const notifier = parts.tenure ? new FencedNotifier(sender, parts.tenure) : sender
    const options = {
      circuit: defaultReceiverCircuit,
      limit: parts.limits.get(receiver.name) ?? new SlidingLimit([]),
      leaveAt: receiver.type === 'feishu' ? offPressure : atOnce,
      maxWaiting: notifications.maxWaiting,
      maxBytes: maxWaitingBytes,
    }
    return new ReceiverDelivery(outbox, notifier, options, ports)
  })
  const watchdog = notifications.watchdog && new Watchdog(store, { job, ...notifications.watchdog })
  return new NoticeDesk(outbox, deliveries, watchdog, ports)
}

const atOnce = (now: number): number => now
const offPressure = (now: number, jitter: number): number => afterPressure(now, jitter)

async function openLinks(config: Config, store: StateStore): Promise<LinkMaker | undefined> {
  const { publicUrl } = config.notifications
  if (publicUrl === undefined) return undefined
  const known = store.get(linkKeyName)
  const key = known ?? randomBytes(32)
  if (known === undefined) await store.commit([{ kind: 'put', key: linkKeyName, value: key }])
  return new HttpLinkMaker(publicUrl, key)
}

/** One rate for each bot, however many receivers send through it. */
function limitsOf(receivers: readonly ReceiverConfig[]): ReadonlyMap<string, SlidingLimit> {
  const byUrl = new Map<string, SlidingLimit>()
  const byName = new Map<string, SlidingLimit>()
  for (const receiver of receivers) {
    if (receiver.type !== 'feishu') continue
    const url = receiver.url.reveal()
    const limit = byUrl.get(url) ?? new SlidingLimit(feishuRate)
    byUrl.set(url, limit)
    byName.set(receiver.name, limit)
  }
  return byName
}
