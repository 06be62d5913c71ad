import { Session } from 'node:inspector/promises'
import { BroadcastChannel } from 'node:worker_threads'
import { asWardenError, WardenError } from '../core/errors.ts'
import type { Clock } from '../core/telemetry.ts'
import { durationMs } from '../core/time.ts'

/** CPU profile of one thread. */
export interface ThreadProfile {
  /** `main`, or as the lane is called. */
  readonly thread: string
  /** What V8 wrote: a `.cpuprofile`, JSON. */
  readonly profile: string
}

type Message =
  | { readonly kind: 'take'; readonly id: number; readonly ms: number }
  | { readonly kind: 'begun'; readonly id: number; readonly thread: string }
  | {
      readonly kind: 'ended'
      readonly id: number
      readonly thread: string
      readonly profile: string
    }
  | { readonly kind: 'failed'; readonly id: number; readonly thread: string; readonly why: string }

const channelName = 'warden-profile'
/** How long a thread may take to hand its profile over. */
const handOverMs = 30_000

let takes = 0
let isTaking = false

/** From now on this thread profiles itself when the main thread asks; returns what ends it. */
export function answerProfiles(thread: string, clock: Clock): () => void {
  const channel = new BroadcastChannel(channelName)
  channel.onmessage = (event) => {
    const message = (event as { readonly data: Message }).data
    if (message.kind !== 'take') return
    const { id, ms } = message
    const tell = (answer: Message): void => channel.postMessage(answer)
    tell({ kind: 'begun', id, thread })
    profileThread(ms, clock).then(
      (profile) => tell({ kind: 'ended', id, thread, profile }),
      (error) => tell({ kind: 'failed', id, thread, why: asWardenError(error).message }),
    )
  }
  channel.unref()
  return () => channel.close()
}

/**
 * Profiles this thread and all that answer, at the same time.
 * @throws WardenError `usage` when profiles are being taken, `internal` when a thread can't give its own
 */
export async function takeProfiles(ms: number, clock: Clock): Promise<readonly ThreadProfile[]> {
  if (isTaking) throw new WardenError('usage', 'a profile is being taken already')
  isTaking = true
  const channel = new BroadcastChannel(channelName)
  const begun = new Set<string>()
  const ended: ThreadProfile[] = []
  let failure: string | undefined
  let changed = (): void => {}
  const id = ++takes
  channel.onmessage = (event) => {
    const message = (event as { readonly data: Message }).data
    if (message.kind === 'take' || message.id !== id) return
    const { thread } = message
    if (message.kind === 'begun') begun.add(thread)
    else if (message.kind === 'ended') ended.push({ thread, profile: message.profile })
    else failure ??= `${thread}: ${message.why}`
    changed()
  }
  try {
    channel.postMessage({ kind: 'take', id, ms } satisfies Message)
    const main = { thread: 'main', profile: await profileThread(ms, clock) }
    let isLate = false
    const cancel = clock.after(durationMs(handOverMs), () => {
      isLate = true
      changed()
    })
    while (ended.length < begun.size && failure === undefined && !isLate) {
      await new Promise<void>((resolve) => {
        changed = resolve
      })
    }
    cancel()
    if (failure !== undefined) throw new WardenError('internal', `no profile of ${failure}`)
    if (isLate) throw new WardenError('internal', 'a thread did not hand its profile over in time')
    return [main, ...ended.sort((a, b) => (a.thread < b.thread ? -1 : 1))]
  } finally {
    channel.close()
    isTaking = false
  }
}

async function profileThread(ms: number, clock: Clock): Promise<string> {
  const session = new Session()
  session.connect()
  try {
    await session.post('Profiler.enable')
    await session.post('Profiler.start')
    await clock.sleep(durationMs(ms), new AbortController().signal)
    const { profile } = await session.post('Profiler.stop')
    return JSON.stringify(profile)
  } finally {
    session.disconnect()
  }
}
