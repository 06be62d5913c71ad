/** Reads a topic from its start; says `counted N` on the way, at the end `result JSON`; ends when its input does. */
import { randomUUID } from 'node:crypto'
import zlib from 'node:zlib'
import { compressionsAlgorithms } from '@platformatic/kafka'
import kafkajs from 'kafkajs'

const [bootstrap = '', topic = '', text = ''] = process.argv.slice(2)
const records = Number(text)
const { Kafka, CompressionCodecs, CompressionTypes, logLevel } = kafkajs
const step = Math.ceil(records / 100)

// kafkajs brings gzip only; it gets the fastest code for the others that Warden has, too.
const inflate = {
  LZ4: (bytes) => compressionsAlgorithms.lz4.decompressSync(bytes),
  Snappy: snappy,
  ZSTD: zlib.zstdDecompressSync,
}
for (const [name, decompress] of Object.entries(inflate)) {
  CompressionCodecs[CompressionTypes[name]] = () => ({
    compress: () => Promise.reject(new Error('reads only')),
    decompress: async (bytes) => decompress(bytes),
  })
}

/** As Java writes it: 16 bytes of header, then blocks with their length before them. */
function snappy(bytes) {
  const blocks = []
  for (let at = 16; at < bytes.length; ) {
    const length = bytes.readInt32BE(at)
    const block = bytes.subarray(at + 4, at + 4 + length)
    blocks.push(compressionsAlgorithms.snappy.decompressSync(block))
    at += 4 + length
  }
  return Buffer.concat(blocks)
}

/**
 * @param each takes a value and its partition, gives how many are counted
 * @param end `settle` after each batch with the number of partitions; `result` when all are counted
 */
export async function consume(each, { settle = () => {}, result = () => ({}) } = {}) {
  const kafka = new Kafka({ brokers: [bootstrap], logLevel: logLevel.NOTHING })
  const admin = kafka.admin()
  await admin.connect()
  const partitions = (await admin.fetchTopicOffsets(topic)).length
  await admin.disconnect()
  // A short wait, so that the end of the topic costs no time; the other settings are kafkajs's own.
  const consumer = kafka.consumer({ groupId: `bench-${randomUUID()}`, maxWaitTimeInMs: 100 })
  let said = 0
  await consumer.connect()
  await consumer.subscribe({ topics: [topic], fromBeginning: true })
  await consumer.run({
    autoCommit: false,
    eachBatch: async ({ batch }) => {
      let counted = 0
      for (const { value } of batch.messages) counted = each(value, batch.partition)
      settle(partitions)
      if (counted - said < step && counted < records) return
      said = counted
      process.stdout.write(`counted ${counted}\n`)
      if (counted >= records) process.stdout.write(`result ${JSON.stringify(result())}\n`)
    },
  })
  process.stdin.on('end', () => process.exit(0)).resume()
}
