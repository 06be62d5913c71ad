import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/**
 * Ports below the range that systems give to outgoing connections (Linux: from 32768), so that a service
 * which was stopped for a while finds its port free again. `WARDEN_TEST_PORTS=30000-30999` moves them.
 */
function portRange(): readonly [first: number, last: number] {
  const [first, last] = (process.env.WARDEN_TEST_PORTS ?? '30000-30999').split('-').map(Number)
  if (first === undefined || last === undefined || !(first > 0) || !(last >= first)) {
    throw new Error(`WARDEN_TEST_PORTS must be FIRST-LAST, e.g. 30000-30999`)
  }
  return [first, last]
}

export interface PortReservation {
  readonly ports: readonly number[]
  release(): void
}

/**
 * `count` ports of 127.0.0.1 that nobody listens on, and that no other test process takes before `release`,
 * also while the service on them is down. A reservation of a dead process counts for nothing.
 */
export async function reservePorts(count: number): Promise<PortReservation> {
  const [first, last] = portRange()
  const size = last - first + 1
  const ports: number[] = []
  const release = () => {
    for (const port of ports) rmSync(reservationFile(port), { force: true })
  }
  const start = Math.floor(Math.random() * size)
  for (let i = 0; i < size && ports.length < count; i++) {
    const port = first + ((start + i) % size)
    if (!claim(port)) continue
    if (await isFree(port)) ports.push(port)
    else rmSync(reservationFile(port), { force: true })
  }
  if (ports.length < count) {
    release()
    throw new Error(`no ${count} free ports in ${first}-${last}; set WARDEN_TEST_PORTS`)
  }
  return { ports, release }
}

function reservationFile(port: number): string {
  const folder = join(tmpdir(), 'warden-test-ports')
  mkdirSync(folder, { recursive: true })
  return join(folder, String(port))
}

function claim(port: number): boolean {
  const file = reservationFile(port)
  try {
    writeFileSync(file, String(process.pid), { flag: 'wx' })
    return true
  } catch {
    if (isAlive(holderOf(file))) return false
  }
  // Two processes may both see the dead holder; one of them then fails to bind, which is rare and loud.
  writeFileSync(file, String(process.pid))
  return true
}

function holderOf(file: string): number {
  try {
    return Number(readFileSync(file, 'utf8'))
  } catch {
    return Number.NaN
  }
}

/** Does a process with this id exist? */
export function isAlive(pid: number): boolean {
  if (!Number.isSafeInteger(pid) || pid <= 0) return false
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}
