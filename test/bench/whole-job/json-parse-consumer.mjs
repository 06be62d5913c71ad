/**
 * The peer: a kafkajs consumer that parses every message and counts it, and does nothing else.
 *   node json-parse-consumer.mjs BOOTSTRAP TOPIC RECORDS
 * Says `first` when the first batch is there and `last` when it has counted them all; ends when its input does.
 */
import { randomUUID } from 'node:crypto'
import { compressionsAlgorithms } from '@platformatic/kafka'
import kafkajs from 'kafkajs'

const [bootstrap = '', topic = '', records = ''] = process.argv.slice(2)
const { Kafka, CompressionCodecs, CompressionTypes, logLevel } = kafkajs

// kafkajs brings gzip only; it gets the same code for the others as Warden.
for (const name of ['lz4', 'snappy']) {
  const { compressSync, decompressSync } = compressionsAlgorithms[name]
  CompressionCodecs[CompressionTypes[name === 'lz4' ? 'LZ4' : 'Snappy']] = () => ({
    compress: async ({ buffer }) => compressSync(buffer),
    decompress: async (buffer) => decompressSync(buffer),
  })
}

const kafka = new Kafka({ brokers: [bootstrap], logLevel: logLevel.NOTHING })
// A short wait, so that the end of the topic costs no time; the other settings are kafkajs's own.
const consumer = kafka.consumer({ groupId: `bench-${randomUUID()}`, maxWaitTimeInMs: 100 })
let seen = 0
await consumer.connect()
await consumer.subscribe({ topics: [topic], fromBeginning: true })
await consumer.run({
  autoCommit: false,
  eachBatch: async ({ batch }) => {
    if (seen === 0) process.stdout.write('first\n')
    for (const { value } of batch.messages) {
      const event = JSON.parse(String(value))
      if (typeof event === 'object') seen++
    }
    if (seen >= Number(records)) process.stdout.write('last\n')
  },
})
process.stdin.on('end', () => process.exit(0)).resume()
