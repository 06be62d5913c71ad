/**
 * Parent of the services a test started, in a session of its own. The test talks to it over an IPC channel;
 * when that closes, whatever became of the test (an assertion, Ctrl-C, kill -9), the keeper kills the services,
 * removes their directory (its argument) and exits.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync, rmSync } from 'node:fs'
import type { KeeperReport, KeeperRequest } from './keeper-messages.ts'

const directory = process.argv[2]
if (directory === undefined || process.send === undefined) {
  throw new Error('keeper.ts DIRECTORY is started by test/support/service-processes.ts')
}

const children = new Map<string, ChildProcess>()
let ending = false

function report(message: KeeperReport): void {
  if (process.connected) process.send?.(message)
}

function start(request: KeeperRequest & { kind: 'start' }): void {
  const log = openSync(request.logFile, 'a')
  const child = spawn(request.command, request.args, {
    cwd: request.cwd,
    env: { ...process.env, ...request.env },
    stdio: ['ignore', log, log],
  })
  closeSync(log)
  children.set(request.id, child)
  const gone = (code: number | null, signal: NodeJS.Signals | null, reason?: string) => {
    if (children.get(request.id) !== child) return
    children.delete(request.id)
    report({ kind: 'exited', id: request.id, code, signal, reason })
    if (ending) finishWhenEmpty()
  }
  child.once('spawn', () => report({ kind: 'started', id: request.id, pid: child.pid ?? 0 }))
  child.once('error', (error) => gone(null, null, error.message))
  child.once('exit', (code, signal) => gone(code, signal))
}

function end(): void {
  if (ending) return
  ending = true
  for (const child of children.values()) child.kill('SIGKILL')
  finishWhenEmpty()
}

function finishWhenEmpty(): void {
  if (children.size > 0) return
  if (directory !== undefined) rmSync(directory, { recursive: true, force: true, maxRetries: 5 })
  process.exit(0)
}

process.on('disconnect', end)
process.on('SIGTERM', end)
process.on('SIGINT', end)
process.on('message', (request: KeeperRequest) => {
  if (request.kind === 'start') start(request)
  else if (request.kind === 'signal') children.get(request.id)?.kill(request.signal)
  else end()
})
