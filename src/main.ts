import { cli } from './cli.ts'

/** Bound of what may still happen after the command has ended: timers or sockets that somebody forgot. */
const lingerMs = 5_000

const stop = new AbortController()
let signals = 0
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    if (++signals > 1) process.exit(1)
    stop.abort()
  })
}
// A reader that went away (`warden explain | head`) is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0)
  throw error
})

process.exitCode = await cli(process.argv.slice(2), {
  out: (text) => process.stdout.write(text),
  err: (text) => process.stderr.write(text),
  env: process.env,
  directory: process.cwd(),
  stop: stop.signal,
})
setTimeout(() => process.exit(), lingerMs).unref()
