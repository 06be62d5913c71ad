/** The phases in which Warden is killed: how to get there, and what proves afterwards that it died there. */
import type { Held, HoldingProxy } from '../support/holding-proxy.ts'
import type { LogLine, WardenProcess } from '../support/warden-process.ts'

export const phases = [
  'counting',
  'committing',
  'between commit and POST',
  'in the POST, before the store',
  'in the POST, after the store',
  'draining',
] as const

export type Phase = (typeof phases)[number]

export interface Death {
  /** Where it died, by what it wrote and what the proxy saw; undefined: it ended by itself. */
  readonly phase: Phase | undefined
  /** Of the checkpoints that became durable in this life; 0 for none. */
  readonly firstCheckpoint: number
  readonly lastCheckpoint: number
}

const timeoutMs = 120_000

/**
 * Brings a Warden that has made a checkpoint to the phase and kills it there.
 * @param turn how often that was done before: there are several ways
 */
export async function killIn(
  phase: Phase,
  warden: WardenProcess,
  proxy: HoldingProxy,
  turn: number,
): Promise<Death> {
  let held: Held | undefined
  let arrivedAtCommit = -1
  const stopWatching = [
    warden.onLine(({ msg }) => {
      if (msg === 'panes committed') arrivedAtCommit = proxy.arrived
    }),
    proxy.onHeld((one) => {
      held = one
    }),
  ]
  try {
    await reach(phase, warden, proxy, turn)
    const { signal } = await warden.kill()
    const posted = arrivedAtCommit >= 0 && proxy.arrived > arrivedAtCommit
    const unposted = arrivedAtCommit >= 0 && !posted
    return {
      ...checkpoints(warden.lines),
      phase: signal === 'SIGKILL' ? phaseOf(warden.lines, held, unposted) : undefined,
    }
  } finally {
    for (const stop of stopWatching) stop()
    proxy.release()
  }
}

async function reach(
  phase: Phase,
  warden: WardenProcess,
  proxy: HoldingProxy,
  turn: number,
): Promise<void> {
  switch (phase) {
    case 'counting':
      // Anywhere in the second between two checkpoints.
      await next(warden, 'checkpoint durable')
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 800))
      return
    case 'committing':
      await next(warden, 'checkpoint collected')
      return
    case 'between commit and POST':
      await next(warden, 'panes committed')
      return
    case 'in the POST, before the store':
      await nextHeld(proxy, 'request')
      return
    case 'in the POST, after the store':
      await nextHeld(proxy, 'answer')
      return
    case 'draining':
      await next(warden, 'panes committed')
      await drain(warden, proxy, turn)
  }
}

/** By turns: in the last checkpoint, or in the last POST, before or after the store has it. */
async function drain(warden: WardenProcess, proxy: HoldingProxy, turn: number): Promise<void> {
  const hold = (['none', 'request', 'answer'] as const)[turn % 3] ?? 'none'
  const reached = hold === 'none' ? next(warden, 'stopping') : nextHeld(proxy, hold)
  warden.signal('SIGTERM')
  await reached
}

/** The next line with this message; resolves as well when Warden ends. */
function next(warden: WardenProcess, message: string): Promise<void> {
  return bounded(`a line "${message}"`, (done) => {
    void warden.exited.then(done, done)
    return warden.onLine(({ msg }) => {
      if (msg === message) done()
    })
  })
}

function nextHeld(proxy: HoldingProxy, hold: 'request' | 'answer'): Promise<void> {
  proxy.hold = hold
  return bounded('a put', (done) => proxy.onHeld(done))
}

async function bounded(what: string, listen: (done: () => void) => () => void): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  let stop = () => {}
  try {
    await new Promise<void>((resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`not within ${timeoutMs} ms: ${what}`)), timeoutMs)
      stop = listen(resolve)
    })
  } finally {
    clearTimeout(timer)
    stop()
  }
}

/** @param unposted panes were committed and no put came after that */
function phaseOf(lines: readonly LogLine[], held: Held | undefined, unposted: boolean): Phase {
  const last = (message: string) => lines.findLastIndex(({ msg }) => msg === message)
  if (last('stopping') >= 0) return 'draining'
  if (held?.hold === 'request') return 'in the POST, before the store'
  if (held?.hold === 'answer') return 'in the POST, after the store'
  if (last('checkpoint collected') > last('checkpoint durable')) return 'committing'
  return unposted ? 'between commit and POST' : 'counting'
}

function checkpoints(lines: readonly LogLine[]): Omit<Death, 'phase'> {
  const durable = lines.filter(({ msg }) => msg === 'checkpoint durable')
  return {
    firstCheckpoint: Number(durable[0]?.checkpoint ?? 0),
    lastCheckpoint: Number(durable.at(-1)?.checkpoint ?? 0),
  }
}
