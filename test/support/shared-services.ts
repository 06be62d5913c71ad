import { type KafkaAddress, KafkaCluster } from './kafka-cluster.ts'
import { startKafka } from './kafka-service.ts'
import { startOpentsdb } from './opentsdb-service.ts'

/** A service other tests may be using at the same time: use names of your own, don't stop or fill it. */
export interface Shared<T> {
  readonly service: T
  /** Call it when the file's tests are done; stops the service if this process had to start it. */
  release(): Promise<void>
}

/**
 * The Kafka of the whole run (`WARDEN_TEST_KAFKA`, set by `with-services.ts`), with its SASL listener; else one of its own.
 * The variable holds a `KafkaAddress` as JSON, or just `host:port`.
 */
export async function sharedKafka(): Promise<Shared<KafkaCluster>> {
  const address = process.env.WARDEN_TEST_KAFKA
  if (address !== undefined && address !== '') {
    return { service: new KafkaCluster(parseKafkaAddress(address)), release: async () => {} }
  }
  const service = await startKafka({ saslSsl: true })
  return { service, release: () => service.stop() }
}

/** The OpenTSDB of the whole run (`WARDEN_TEST_OPENTSDB`: its URL), else one of its own. */
export async function sharedOpentsdb(): Promise<Shared<{ readonly url: string }>> {
  const url = process.env.WARDEN_TEST_OPENTSDB
  if (url !== undefined && url !== '') return { service: { url }, release: async () => {} }
  const service = await startOpentsdb()
  return { service, release: () => service.stop() }
}

function parseKafkaAddress(text: string): KafkaAddress {
  if (!text.startsWith('{')) return { bootstrap: text, sasl: undefined }
  return JSON.parse(text) as KafkaAddress
}
