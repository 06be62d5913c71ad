/**
 * The least that a Kafka consumer in Node does: kafkajs, `JSON.parse` of every message, a counter.
 *   node kafkajs-parse.mjs BOOTSTRAP TOPIC RECORDS
 */
import { consume } from './kafkajs-consume.mjs'

let seen = 0
await consume((value) => {
  const event = JSON.parse(String(value))
  if (typeof event === 'object') seen++
  return seen
})
