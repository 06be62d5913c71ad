import { WardenError } from '../core/errors.ts'
import type { KafkaPartition } from './kafka-partition.ts'
import type { KafkaReading } from './kafka-reading.ts'
import { askOffsets, timestampAt, type Unstarted } from './kafka-start.ts'

export type LossReason = 'out_of_range' | 'created_anew' | 'other_cluster' | 'deleted'

/** The offsets a partition has, [start, end). */
interface Range {
  readonly start: number
  readonly end: number
}

const wayOn =
  'To accept the loss, set onDataLoss: continue (the windows are marked partial) or start from a new state directory.'

/** What to tell the operator when records are gone before they were read. */
export function lossError(
  one: KafkaPartition,
  reason: LossReason,
  range: Range | undefined,
): WardenError {
  const position = `topic ${one.topic}, partition ${one.partition}: offset ${one.fetchOffset} is the next to read`
  const has = range === undefined ? '' : `; it has offsets ${range.start} to ${range.end} now`
  const why: Readonly<Record<LossReason, string>> = {
    out_of_range:
      range !== undefined && one.fetchOffset < range.start
        ? `and retention (or a deletion of records) removed ${range.start - one.fetchOffset} records from there on`
        : `and lies behind the end of the partition, which was cut back (an unclean leader election, or a restored cluster)`,
    created_anew: `in a topic of that name that was deleted and created anew`,
    other_cluster: `in another Kafka cluster than the one that answers now; check the brokers in the config`,
    deleted: `and the topic was deleted`,
  }
  return new WardenError('data_loss', `${position}, ${why[reason]}${has}. ${wayOn}`)
}

/**
 * Judges a partition whose position may be gone. Nothing happens when the offset is there after all; else, as the config
 * says, rejects with `data_loss`, or moves the partition on: to the start of its log, or to its end when it was cut back
 * (what it still holds was read).
 */
export async function settleLoss(
  reading: KafkaReading,
  one: KafkaPartition,
  target: Unstarted,
  identity: string,
): Promise<void> {
  const [start = 0] = await askOffsets(reading, [target], 'earliest')
  const [end = 0] = await askOffsets(reading, [target], 'latest')
  const wanted = one.fetchOffset
  if (identity === one.identity && wanted >= start && wanted <= end) {
    one.isOutOfRange = false
    return
  }
  const reason = reasonOf(one.identity, identity)
  const error = lossError(one, reason, { start, end })
  if (reading.settings.onDataLoss === 'stop') throw error
  const next = reason === 'out_of_range' && wanted > end ? end : start
  const until = await timestampAt(reading, target, next)
  const known = reason === 'out_of_range' && next > wanted ? next - wanted : 0
  reading.meters.dataLoss(one.topic, known)
  reading.logger.error(
    { topic: one.topic, partition: one.partition, wanted, next, lost: known, reason },
    `records were lost, reading on as onDataLoss: continue says. ${error.message}`,
  )
  one.skipTo(next, identity, until ?? reading.clock.now())
}

function reasonOf(before: string, now: string): LossReason {
  if (before === now) return 'out_of_range'
  const cluster = (identity: string): string => identity.slice(0, identity.indexOf('/'))
  return cluster(before) === cluster(now) ? 'created_anew' : 'other_cluster'
}
