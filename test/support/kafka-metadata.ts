import { Connection, metadataV12 } from '@platformatic/kafka'

export interface PartitionView {
  readonly partition: number
  /** -1 for none. */
  readonly leader: number
  readonly replicas: readonly number[]
  readonly inSync: readonly number[]
}

/**
 * What each broker of the list by itself knows of a topic's partitions; nothing of brokers that do not answer or do not know it.
 * A change reaches the brokers one by one: a client that asks another one than the test did would still see the old state.
 */
export async function viewsOf(
  bootstrap: string,
  topic: string,
): Promise<{ readonly answering: number; readonly views: PartitionView[][] }> {
  const answers = await Promise.all(bootstrap.split(',').map((broker) => ask(broker, topic)))
  const answering = answers.filter((one) => one !== 'silent')
  return { answering: answering.length, views: answering.filter((one) => one !== 'unknown') }
}

async function ask(broker: string, topic: string): Promise<PartitionView[] | 'silent' | 'unknown'> {
  const [host = '', port] = broker.split(':')
  const connection = new Connection('warden-test', { connectTimeout: 1000, requestTimeout: 3000 })
  try {
    await connection.connect(host, Number(port))
  } catch {
    return 'silent'
  }
  try {
    const { topics } = await metadataV12.api.async(connection, [topic], false, false)
    return (topics[0]?.partitions ?? []).map((one) => ({
      partition: one.partitionIndex,
      leader: one.leaderId,
      replicas: one.replicaNodes,
      inSync: one.isrNodes,
    }))
  } catch (error) {
    // An error code for the topic or a partition: not there yet, or not any more. Anything else is no answer.
    return error instanceof Error && 'code' in error && error.code === 'PLT_KFK_RESPONSE'
      ? 'unknown'
      : 'silent'
  } finally {
    await connection.close().catch(() => {})
  }
}
