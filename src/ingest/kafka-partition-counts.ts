import { KafkaAdmin } from './kafka-admin.ts'
import type { KafkaConnectOptions } from './kafka-connections.ts'

/**
 * Number of partitions of each topic, in their order; undefined for one that is not there or can't be asked for.
 * Rejects with a WardenError when no broker answers.
 */
export async function kafkaPartitionCounts(
  options: KafkaConnectOptions,
  topics: readonly string[],
): Promise<readonly (number | undefined)[]> {
  const admin = new KafkaAdmin({ ...options })
  try {
    const metadata = await admin.metadata(topics)
    return topics.map((topic) => {
      const found = metadata.topics.get(topic)
      return found?.error === undefined ? found?.partitions.length : undefined
    })
  } finally {
    await admin.close()
  }
}
