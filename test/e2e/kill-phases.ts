/** The phases in which Warden is killed: how to get there, and what proves afterwards that it died there. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Held, HoldingProxy } from '../support/holding-proxy.ts'
import { until } from '../support/until.ts'
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

/** What the test sees of a life of Warden, from its start on. */
class Watch {
  readonly warden: WardenProcess
  readonly proxy: HoldingProxy
  held: Held | undefined
  #arrivedAtCommit: number | undefined
  readonly #stops: readonly (() => void)[]

  constructor(warden: WardenProcess, proxy: HoldingProxy) {
    this.warden = warden
    this.proxy = proxy
    this.#stops = [
      warden.onLine(({ msg }) => {
        if (msg === 'panes committed') this.#arrivedAtCommit = proxy.arrived
      }),
      proxy.onHeld((one) => {
        this.held = one
      }),
    ]
  }

  /** Panes were committed and no put came after that. */
  get hasUnposted(): boolean {
    return this.#arrivedAtCommit !== undefined && this.proxy.arrived <= this.#arrivedAtCommit
  }

  /** Nothing is on its way to the state or the store. */
  get isOnlyCounting(): boolean {
    return !isCommitting(this.warden.lines) && !this.hasUnposted && this.proxy.inFlight === 0
  }

  end(): void {
    for (const stop of this.#stops) stop()
    this.proxy.release()
  }
}

/**
 * Brings a Warden that was just started to the phase, once it has made a checkpoint, and kills it there.
 * @param turn how often that was done before: there are several ways
 */
export async function killIn(
  phase: Phase,
  warden: WardenProcess,
  proxy: HoldingProxy,
  turn: number,
): Promise<Death> {
  const watch = new Watch(warden, proxy)
  try {
    await warden.until('a checkpoint', ({ msg }) => msg === 'checkpoint durable')
    await reach(phase, watch, turn)
    const { signal } = await warden.kill()
    return {
      ...checkpoints(warden.lines),
      phase: signal === 'SIGKILL' ? phaseOf(watch) : undefined,
    }
  } finally {
    watch.end()
  }
}

async function reach(phase: Phase, watch: Watch, turn: number): Promise<void> {
  const { warden, proxy } = watch
  switch (phase) {
    case 'counting':
      // Anywhere in the second between two checkpoints.
      await sleep(Math.random() * 800)
      await until('it only counts', () => watch.isOnlyCounting, timeoutMs, 1)
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

function phaseOf({ warden, held, hasUnposted }: Watch): Phase {
  if (warden.lines.some(({ msg }) => msg === 'stopping')) return 'draining'
  if (held?.hold === 'request') return 'in the POST, before the store'
  if (held?.hold === 'answer') return 'in the POST, after the store'
  if (isCommitting(warden.lines)) return 'committing'
  return hasUnposted ? 'between commit and POST' : 'counting'
}

function isCommitting(lines: readonly LogLine[]): boolean {
  const last = (message: string) => lines.findLastIndex(({ msg }) => msg === message)
  return last('checkpoint collected') > last('checkpoint durable')
}

function checkpoints(lines: readonly LogLine[]): Omit<Death, 'phase'> {
  const durable = lines.filter(({ msg }) => msg === 'checkpoint durable')
  return {
    firstCheckpoint: Number(durable[0]?.checkpoint ?? 0),
    lastCheckpoint: Number(durable.at(-1)?.checkpoint ?? 0),
  }
}
