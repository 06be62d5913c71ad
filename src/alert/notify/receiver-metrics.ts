import type { Metrics } from '../../core/telemetry.ts'
import type { ReceiverState } from './receiver-circuit.ts'

/**
 * What became of notifications: `sent`; `retried`: an attempt that failed; `blocked`: an attempt that showed the receiver to be set up
 * wrongly; `refused`: lost, the receiver takes it in no form; `dropped`: lost, too many waited; `superseded`: an older heartbeat.
 */
export type NotificationOutcome =
  | 'sent'
  | 'retried'
  | 'blocked'
  | 'refused'
  | 'dropped'
  | 'superseded'

const sendBuckets = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]

/** The figures of one receiver. */
export class ReceiverMetrics {
  readonly count: (outcome: NotificationOutcome, notifications: number) => void
  readonly took: (ms: number) => void
  readonly show: (waiting: number, oldestMs: number, state: ReceiverState) => void

  constructor(metrics: Metrics, receiver: string) {
    const total = metrics.counter(
      'warden_notifications_total',
      'Notifications by what became of them',
      ['receiver', 'outcome'],
    )
    const waitingNow = metrics.gauge('warden_notifications_waiting', 'Notifications not sent yet', [
      'receiver',
    ])
    const oldest = metrics.gauge(
      'warden_notification_oldest_seconds',
      'Age of the oldest notification not sent yet',
      ['receiver'],
    )
    const open = metrics.gauge(
      'warden_receiver_circuit_open',
      'The receiver is given up for now and only probed',
      ['receiver'],
    )
    const seconds = metrics.histogram(
      'warden_notification_send_seconds',
      'Time to the answer of a receiver',
      sendBuckets,
      ['receiver'],
    )
    this.count = (outcome, notifications) => total.add(notifications, { receiver, outcome })
    this.took = (ms) => seconds.observe(ms / 1_000, { receiver })
    this.show = (waiting, oldestMs, state) => {
      waitingNow.set(waiting, { receiver })
      oldest.set(oldestMs / 1_000, { receiver })
      open.set(state === 'open' || state === 'blocked' ? 1 : 0, { receiver })
    }
    this.count('sent', 0)
  }
}
