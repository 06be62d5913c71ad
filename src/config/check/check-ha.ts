import { formatDuration } from '../../core/time.ts'
import type { Locator } from '../read/locator.ts'
import type { ConfigDocument } from '../schema.ts'

/** What another machine can't go on with is refused by name. */
export function checkHa(document: Partial<ConfigDocument>, locator: Locator): void {
  const { ha, state } = document
  if (ha === undefined) return
  checkLease(ha.lease, locator)
  if (!locator.has(['state', 'replica']) && state?.replica === undefined) {
    const what = 'a standby could not go on where the leader stopped'
    const right = 'add state: { replica: DIR }, a directory that all Wardens of the job reach'
    locator.key(['ha'], what, right)
  }
  for (const [name, source] of Object.entries(document.sources ?? {})) {
    if (source.type === 'kafka') continue
    const reasons = {
      http: 'events that were posted lie on the disk of the Warden that took them',
      file: 'the files lie on one machine',
      generator: 'made-up events are other ones in each process',
    }
    const what = `source ${name} is no source for several Wardens: ${reasons[source.type]}`
    locator.value(['sources', name, 'type'], what, 'read Kafka, or leave ha out')
  }
  for (const [name, sink] of Object.entries(document.sinks ?? {})) {
    if (sink.type !== 'embedded') continue
    const what = `the store of sink ${name} lies on the disk of one Warden`
    const right = 'write to opentsdb or kafka, or leave ha out'
    // Without sinks in the file the embedded one is the default.
    if (locator.has(['sinks', name])) locator.key(['sinks', name], what, right)
    else locator.key(['ha'], what, right)
  }
}

type LeaseDocument = NonNullable<ConfigDocument['ha']>['lease']

function checkLease(lease: LeaseDocument, locator: Locator): void {
  const [key, termMs] =
    lease.type === 'zookeeper'
      ? (['sessionTimeout', lease.sessionTimeout] as const)
      : (['duration', lease.duration] as const)
  if (termMs < 1_000 || termMs > 60_000) {
    const what = `a lease of ${formatDuration(termMs)}`
    locator.value(['ha', 'lease', key], what, 'allowed are 1s to 1m')
  }
  if (lease.type !== 'zookeeper') return
  if (lease.path !== undefined && !/^(\/[^/\0]+)+$/.test(lease.path)) {
    const right = 'write an absolute path without a slash at its end, such as /warden/lending'
    locator.value(['ha', 'lease', 'path'], `${lease.path} is no path of a node`, right)
  }
  if (lease.ca !== undefined && !lease.tls) {
    const right = 'add tls: true, or leave ca out'
    locator.key(['ha', 'lease', 'ca'], 'ca without tls', right)
  }
}
