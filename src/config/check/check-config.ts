import { formatDuration } from '../../core/time.ts'
import { formatBytes, textFormats } from '../read/formats.ts'
import type { Locator, Place } from '../read/locator.ts'
import { suggestion } from '../read/suggest.ts'
import { resolveAggregate } from '../resolve-metric.ts'
import type { ListenAddress } from '../schema/fields.ts'
import type { ConfigDocument, EventDocument, MetricDocument, SourceDocument } from '../schema.ts'
import { checkAlerts } from './check-alerts.ts'
import { checkEnrich, checkLookups } from './check-enrich.ts'
import { checkHa } from './check-ha.ts'
import { checkMetric } from './check-metric.ts'
import { checkReceivers } from './check-receivers.ts'
import { checkWatermark } from './check-watermark.ts'

/**
 * Checks what the schema cannot say. Parts of the document that were wrong already are missing from it; `locator` knows
 * all names that stand in the file.
 */
export function checkConfig(document: Partial<ConfigDocument>, locator: Locator): void {
  for (const section of ['sources', 'metrics', 'sinks']) checkNames(section, locator)
  for (const [name, source] of Object.entries(document.sources ?? {})) {
    checkSource(name, source, locator)
  }
  checkMetrics(document.metrics ?? {}, document.sources ?? {}, locator)
  checkDiscarding(document, locator)
  checkAlerts(document.alerts ?? {}, document.metrics ?? {}, ['alerts'], locator)
  checkReceivers(document, locator)
  checkSinks(document, locator)
  checkSideOutputs(document, locator)
  checkServers(document, locator)
  checkCheckpoint(document, locator)
  checkStore(document, locator)
  checkState(document, locator)
  checkHa(document, locator)
  checkEnrich(document, locator)
  for (const [name, metric] of Object.entries(document.metrics ?? {})) {
    checkLookups(name, metric, locator.keysAt(['enrich']), locator)
  }
}

/** Checks the part of a config that a spec has. */
export function checkMetrics(
  metrics: Readonly<Record<string, MetricDocument>>,
  sources: Readonly<Record<string, { readonly event: EventDocument }>>,
  locator: Locator,
): void {
  const known = locator.keysAt(['sources'])
  const points = new Map<string, string>()
  const renamed = new Map<string, string>()
  for (const [name, metric] of Object.entries(metrics)) {
    const at: Place = ['metrics', name]
    const source = metric.source ?? (known.length === 1 ? known[0] : undefined)
    if (metric.source !== undefined && !known.includes(metric.source)) {
      const what = `source ${metric.source} is not known`
      locator.value([...at, 'source'], what, suggestion(metric.source, known))
    } else if (source === undefined && known.length > 1) {
      const right = `say which it reads: source: one of ${known.join(', ')}`
      locator.key(at, 'there are several sources', right)
    }
    checkMetric(name, metric, source === undefined ? undefined : sources[source]?.event, locator)
    for (const [index, one] of metric.aggregates.entries()) {
      const point = `${name}.${resolveAggregate(one).name}`
      const other = points.get(point)
      if (other !== undefined && other !== name) {
        const what = `points of metric ${other} have the name ${point} too`
        locator.value([...at, 'aggregates', index], what, 'rename one of the metrics')
      }
      points.set(point, name)
    }
    checkRename(name, metric.renamedFrom, renamed, locator)
  }
}

function checkRename(
  name: string,
  from: string | undefined,
  renamed: Map<string, string>,
  locator: Locator,
): void {
  if (from === undefined) return
  const place = ['metrics', name, 'renamedFrom']
  const other = renamed.get(from)
  if (locator.has(['metrics', from])) {
    const right = 'name a metric that is no longer there, or leave it out'
    locator.value(place, `metric ${from} is still in this config`, right)
  } else if (other !== undefined) {
    locator.value(
      place,
      `metric ${other} takes over the state of ${from} too`,
      'keep one of the two',
    )
  }
  renamed.set(from, name)
}

/** Names key state, labels and points. */
function checkNames(section: string, locator: Locator): void {
  for (const name of locator.keysAt([section])) {
    const meaning = textFormats.name.read(name, (one) => one)
    if (meaning.kind === 'wrong') locator.key([section, name], meaning.what, meaning.right)
  }
}

/** Events per second of event time that the generator can make. */
const maxDensity = 2_000_000

function checkSource(name: string, source: SourceDocument, locator: Locator): void {
  const at: Place = ['sources', name]
  const { time } = source.event
  if ('format' in time && time.format !== 'record' && time.path === undefined) {
    const right = 'add path: <field>, or write format: record'
    locator.key([...at, 'event', 'time'], `${time.format} needs the path of a field`, right)
  }
  checkWatermark(at, source.watermark, locator)
  if (source.watermark.idleTimeout === 0) {
    const place = [...at, 'watermark', 'idleTimeout']
    locator.value(place, 'partitions would always be idle', 'write at least 1s, such as 1m')
  }
  if (source.type === 'http') checkToken(at, source.listen, source.token !== undefined, locator)
  if (source.type === 'generator' && source.rate / source.speed > maxDensity) {
    const what = `${source.rate} ÷ ${source.speed} (speed) events per second of event time`
    locator.value([...at, 'rate'], what, `allowed are ${maxDensity}: lower rate or raise speed`)
  }
  if (source.type === 'file' && source.from === 'latest' && !source.follow) {
    const what = 'nothing would be read of files that are not followed'
    locator.value([...at, 'from'], what, 'write follow: true, or from: earliest')
  }
  if (source.type !== 'kafka') return
  checkTls([...at, 'tls'], source.tls, locator)
  for (const [index, topic] of source.topics.entries()) {
    if (source.topics.indexOf(topic) === index) continue
    locator.value(
      [...at, 'topics', index],
      `topic ${topic} stands here twice`,
      'keep one of the two',
    )
  }
  const { bufferBytes, maxBytesPerPartition } = source.fetch
  if (bufferBytes < maxBytesPerPartition) {
    const right = `write at least maxBytesPerPartition, ${formatBytes(maxBytesPerPartition)}`
    const what = `a buffer of ${formatBytes(bufferBytes)} cannot hold one answer`
    locator.value([...at, 'fetch', 'bufferBytes'], what, right)
  }
}

function checkTls(
  at: Place,
  tls: Extract<SourceDocument, { readonly type: 'kafka' }>['tls'],
  locator: Locator,
): void {
  if (typeof tls === 'boolean' || (tls.cert === undefined) === (tls.key === undefined)) return
  const [has, lacks] = tls.cert === undefined ? ['key', 'cert'] : ['cert', 'key']
  locator.key([...at, has], `${has} without ${lacks}`, `add ${lacks}, or leave both out`)
}

function checkToken(at: Place, listen: ListenAddress, hasToken: boolean, locator: Locator): void {
  if (hasToken || isLoopback(listen.host)) return
  locator.value(
    [...at, 'listen'],
    `${listen.host} is open to other machines, and there is no token`,
    "add token: '${ENV_NAME}', or listen on 127.0.0.1",
  )
}

const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '::1' || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host)

/** A store keeps one value per time: a point that says only what is new would overwrite the rest. */
function checkDiscarding(document: Partial<ConfigDocument>, locator: Locator): void {
  const overwriting = Object.entries(document.sinks ?? {}).find(
    ([, one]) => one.type !== 'file' && one.type !== 'kafka',
  )
  if (overwriting === undefined) return
  for (const [name, metric] of Object.entries(document.metrics ?? {})) {
    if (metric.accumulation !== 'discarding') continue
    const what = `sink ${overwriting[0]} keeps the last point of a window, which would hold only what is new`
    const right = 'write accumulating, or use file and kafka sinks only'
    locator.value(['metrics', name, 'accumulation'], what, right)
  }
}

function checkSinks(document: Partial<ConfigDocument>, locator: Locator): void {
  let embedded: string | undefined
  let first: { readonly name: string; readonly timestamp: string } | undefined
  const paths = new Map<string, string>()
  for (const [name, sink] of Object.entries(document.sinks ?? {})) {
    const at: Place = ['sinks', name]
    first ??= { name, timestamp: sink.timestamp }
    if (sink.timestamp !== first.timestamp) {
      const what = `sink ${first.name} dates points by the ${first.timestamp} of the window`
      locator.value([...at, 'timestamp'], what, 'give all sinks the same timestamp')
    }
    if (sink.required && locator.has([...at, 'maxBacklog'])) {
      const what = 'a required sink drops nothing: reading pauses at outbox.maxBytes'
      locator.key([...at, 'maxBacklog'], what, 'add required: false, or leave maxBacklog out')
    }
    if (sink.type === 'embedded') {
      if (embedded !== undefined) {
        const what = `sink ${embedded} is the embedded store already`
        locator.key(at, what, 'keep one of the two: there is one store')
      }
      embedded ??= name
    } else if (sink.type === 'file') {
      const other = paths.get(sink.path)
      if (other !== undefined) {
        locator.value([...at, 'path'], `sink ${other} writes this file too`, 'name another file')
      }
      paths.set(sink.path, name)
      if (sink.keep !== undefined && sink.rollSize === undefined) {
        locator.key([...at, 'keep'], 'nothing is put aside', 'add rollSize, or leave keep out')
      }
    } else if (sink.type === 'kafka') {
      checkTls([...at, 'tls'], sink.tls, locator)
    } else if (sink.verifyShare <= 0) {
      const what = 'a share of 0 reads nothing back'
      locator.value([...at, 'verifyShare'], what, 'write more, or verify: none')
    } else if (sink.retry.initial > sink.retry.max) {
      const what = `the first wait, ${formatDuration(sink.retry.initial)}, is longer than max`
      const right = `write at most ${formatDuration(sink.retry.max)}`
      locator.value([...at, 'retry', 'initial'], what, right)
    }
  }
}

function checkSideOutputs(document: Partial<ConfigDocument>, locator: Locator): void {
  const { deadLetters, lateEvents } = document
  for (const [key, one] of Object.entries({ deadLetters, lateEvents })) {
    if (one?.type === 'kafka') checkTls([key, 'tls'], one.tls, locator)
  }
  if (deadLetters?.type !== 'file' || lateEvents?.type !== 'file') return
  if (deadLetters.path === undefined || deadLetters.path !== lateEvents.path) return
  const right = 'name another file: each is cut back by itself after a crash'
  locator.value(['lateEvents', 'path'], 'deadLetters go to this file too', right)
}

function checkServers(document: Partial<ConfigDocument>, locator: Locator): void {
  const { server } = document
  if (server === undefined) return
  checkToken(['server'], server.listen, server.token !== undefined, locator)
  const taken = new Map([[addressText(server.listen), 'the server']])
  for (const [name, source] of Object.entries(document.sources ?? {})) {
    if (source.type !== 'http' || source.listen.port === 0) continue
    const address = addressText(source.listen)
    const other = taken.get(address)
    if (other !== undefined) {
      const what = `${other} listens on ${address} too`
      locator.value(['sources', name, 'listen'], what, 'choose another port')
    }
    taken.set(address, `source ${name}`)
  }
}

const addressText = (listen: ListenAddress): string => `${listen.host}:${listen.port}`

function checkStore({ store }: Partial<ConfigDocument>, locator: Locator): void {
  if (store?.retention !== undefined && store.retention < 3_600_000) {
    const what = `a retention of ${formatDuration(store.retention)} drops points before anybody sees them`
    locator.value(['store', 'retention'], what, 'write at least 1h')
  }
  if (store?.maxSize !== undefined && store.maxSize < 16 * 2 ** 20) {
    const what = 'a store so small has no room for a row of every series'
    locator.value(['store', 'maxSize'], what, 'write at least 16MiB')
  }
}

function checkState({ state }: Partial<ConfigDocument>, locator: Locator): void {
  const replica = state?.replica
  if (replica === undefined || typeof replica === 'string' || replica.interval >= 10_000) return
  const what = `a replica every ${formatDuration(replica.interval)}`
  locator.value(['state', 'replica', 'interval'], what, 'write at least 10s')
}

function checkCheckpoint(document: Partial<ConfigDocument>, locator: Locator): void {
  const { checkpoint, restart } = document
  if (checkpoint !== undefined) {
    const { interval, timeout, minPause } = checkpoint
    if (interval < 100 || interval > 3_600_000) {
      const what = `a checkpoint every ${formatDuration(interval)}`
      locator.value(['checkpoint', 'interval'], what, 'allowed are 100ms to 1h')
    }
    if (timeout < 1_000) {
      const what = `a timeout of ${formatDuration(timeout)} fails healthy checkpoints`
      locator.value(['checkpoint', 'timeout'], what, 'write at least 1s')
    }
    if (minPause > interval) {
      const what = `a pause of ${formatDuration(minPause)} is longer than the interval`
      const right = `write at most ${formatDuration(interval)}`
      locator.value(['checkpoint', 'minPause'], what, right)
    }
  }
  if (restart?.strategy === 'exponential' && restart.initial > restart.max) {
    const what = `the first wait, ${formatDuration(restart.initial)}, is longer than max`
    locator.value(['restart', 'initial'], what, `write at most ${formatDuration(restart.max)}`)
  }
}
