import { readFileSync, writeFileSync } from 'node:fs'
import { sharedKafka } from '../support/shared-services.ts'
import { provideTopic } from './load/fill-topic.ts'
import { usualLoad } from './load/load-spec.ts'
import { hourMs, startMs } from './load/loan-events.ts'
import { kafkajsPeers } from './peers/kafkajs-peers.ts'
import type { Peer } from './peers/peer.ts'
import { wardenPeer } from './peers/warden-peer.ts'

/** `smoke.json`. */
export interface RecordedRatio {
  /** Rate of Warden over rate of kafkajs with `JSON.parse`. */
  readonly ratio: number
  /** When, and by which Node. */
  readonly measured: string
}

const recordFile = new URL('smoke.json', import.meta.url)
const spec = { ...usualLoad, events: 400_000, users: 400_000 }
const rounds = 2

export interface SmokeRates {
  /** Events per second. */
  readonly warden: number
  /** Events per second. */
  readonly kafkajs: number
  readonly ratio: number
}

/**
 * Warden with one lane and kafkajs in turn on the same small topic, the best of two rounds each: what disturbs a round only makes it slower.
 * Takes half a minute. Uses the Kafka of WARDEN_TEST_KAFKA where there is one.
 */
export async function measureSmoke(): Promise<SmokeRates> {
  const kafka = await sharedKafka()
  try {
    const cluster = kafka.service
    const topic = await provideTopic(cluster, spec, 'none')
    const endMs = startMs + spec.hours * hourMs
    const rate = async (peer: Peer | undefined) =>
      (await peer?.measure({ bootstrap: cluster.bootstrap, topic, endMs }))?.eventsPerSecond ?? 0
    let [warden, kafkajs] = [0, 0]
    for (let round = 0; round < rounds; round++) {
      const parseOnly = kafkajsPeers('none').find(({ key }) => key === 'kafkajs')
      kafkajs = Math.max(kafkajs, await rate(parseOnly))
      const ours = wardenPeer({ key: 'warden', name: 'Warden', lanes: 1, lookMs: 20 })
      warden = Math.max(warden, await rate(ours))
    }
    await cluster.deleteTopic(topic.name)
    return { warden, kafkajs, ratio: warden / kafkajs }
  } finally {
    await kafka.release()
  }
}

export function recordedRatio(): RecordedRatio {
  return JSON.parse(readFileSync(recordFile, 'utf8')) as RecordedRatio
}

export function recordRatio(ratio: number): void {
  const measured = `${new Date().toISOString().slice(0, 10)}, Node ${process.versions.node}`
  const kept: RecordedRatio = { ratio: Math.round(ratio * 100) / 100, measured }
  writeFileSync(recordFile, `${JSON.stringify(kept, undefined, 2)}\n`)
}

/** One line for people. */
export function smokeText({ warden, kafkajs, ratio }: SmokeRates): string {
  const thousands = (rate: number) => `${Math.round(rate / 1000)} k events/s`
  const recorded = recordedRatio()
  return `Warden ${thousands(warden)}, kafkajs with JSON.parse ${thousands(kafkajs)}: ratio ${ratio.toFixed(2)}, recorded ${recorded.ratio} (${recorded.measured})`
}
