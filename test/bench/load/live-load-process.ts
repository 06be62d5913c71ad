/** A `LiveLoad` in a process of its own, so that it does not disturb the clock of who measures. Started by `live-load-child.ts`. */
import { LiveLoad, type LiveLoadOptions } from './live-load.ts'

export type LiveLoadRequest =
  | { readonly kind: 'rate'; readonly eventsPerSecond: number }
  | { readonly kind: 'backlog'; readonly seconds: number; readonly eventsPerSecond: number }
  | { readonly kind: 'stop' }

export type LiveLoadReport =
  | { readonly kind: 'triggered'; readonly windowStart: number; readonly atMs: number }
  | { readonly kind: 'sent'; readonly events: number }
  | { readonly kind: 'backlog-written' }
  | { readonly kind: 'stopped'; readonly events: number; readonly counts: [string, number][] }

const reportEveryMs = 50

function report(message: LiveLoadReport): void {
  if (process.connected) process.send?.(message)
}

const options = JSON.parse(process.argv[2] ?? '') as LiveLoadOptions
const load = await LiveLoad.connect(options, (windowStart, atMs) => {
  report({ kind: 'triggered', windowStart, atMs })
})
const running = load.run()
const timer = setInterval(() => report({ kind: 'sent', events: load.events }), reportEveryMs)

process.on('message', (request: LiveLoadRequest) => void take(request))
process.on('disconnect', () => process.exit())

async function take(request: LiveLoadRequest): Promise<void> {
  switch (request.kind) {
    case 'rate':
      load.rate = request.eventsPerSecond
      return
    case 'backlog': {
      const now = Date.now()
      await load.backlog(now - request.seconds * 1000, now, request.eventsPerSecond)
      report({ kind: 'backlog-written' })
      return
    }
    case 'stop': {
      load.stop()
      await running
      clearInterval(timer)
      report({ kind: 'stopped', events: load.events, counts: [...load.counts()] })
      process.disconnect()
    }
  }
}
