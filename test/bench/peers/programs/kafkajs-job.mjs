/**
 * The whole job as one would write it on kafkajs in an afternoon: `JSON.parse`, a Map of users for each hour, hours closed by a
 * watermark over the partitions. State is in memory only: there is no checkpoint, a restart begins again.
 *   node kafkajs-job.mjs BOOTSTRAP TOPIC RECORDS
 */
import { consume } from './kafkajs-consume.mjs'

const hourMs = 3_600_000
const keepMs = 20_000 + 600_000
const newest = new Map()
const hours = new Map()
const done = {}
let seen = 0

function hourOf(time) {
  let hour = hours.get(time)
  if (hour === undefined) {
    hour = { users: new Map(), loans: new Map(), channels: new Map() }
    hours.set(time, hour)
  }
  return hour
}

function count({ users, loans, channels }, event) {
  const series = `${event.bizLine} ${event.product}`
  let loan = loans.get(series)
  if (loan === undefined) {
    loan = { users: 0, success: 0, events: 0, rawSuccess: 0 }
    loans.set(series, loan)
  }
  const isSuccess = event.status === 'success'
  const key = `${series} ${event.userId}`
  const before = users.get(key)
  if (before === undefined) loan.users++
  if (isSuccess && before !== true) loan.success++
  if (before === undefined || (isSuccess && !before)) users.set(key, isSuccess)
  loan.events++
  if (isSuccess) loan.rawSuccess++
  const channel = `${event.channel} ${event.status}`
  channels.set(channel, (channels.get(channel) ?? 0) + 1)
}

function close(before) {
  for (const [time, { loans, channels }] of hours) {
    if (time + hourMs > before) continue
    for (const [series, loan] of loans) {
      for (const name in loan) done[`loan ${time} ${series} ${name}`] = loan[name]
    }
    for (const [channel, events] of channels) done[`channel ${time} ${channel}`] = events
    hours.delete(time)
  }
}

await consume(
  (value, partition) => {
    const event = JSON.parse(String(value))
    seen++
    const at = event.eventTime
    if (at > (newest.get(partition) ?? 0)) newest.set(partition, at)
    if (event.event === 'loan' && event.amount >= 0) count(hourOf(at - (at % hourMs)), event)
    return seen
  },
  {
    // After each batch, as a timer would do.
    settle: (partitions) => {
      if (newest.size === partitions) close(Math.min(...newest.values()) - keepMs)
    },
    result: () => {
      close(Number.POSITIVE_INFINITY)
      return done
    },
  },
)
