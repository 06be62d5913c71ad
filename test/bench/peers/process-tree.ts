import { readdirSync, readFileSync } from 'node:fs'

/** Ticks per second of the times in /proc: USER_HZ, which is 100 on every Linux that Node runs on. */
const ticksPerSecond = 100

/** The processes and everything they have started, by process id. Linux. */
export function processTree(roots: readonly number[]): number[] {
  const children = new Map<number, number[]>()
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue
    const parent = statOf(Number(name))?.parent
    if (parent !== undefined) {
      children.set(parent, [...(children.get(parent) ?? []), Number(name)])
    }
  }
  const withChildren = (pid: number): number[] => [
    pid,
    ...(children.get(pid) ?? []).flatMap(withChildren),
  ]
  return roots.flatMap(withChildren)
}

/** Processor time of the processes, all their threads, user and system, in seconds; a process that is gone counts for nothing. */
export function cpuSecondsOf(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + (statOf(pid)?.cpuSeconds ?? 0), 0)
}

/** Sum of the largest resident sets that the processes have had, in bytes. */
export function peakRssOf(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + statusBytes(pid, 'VmHWM'), 0)
}

/** Sum of the resident sets now, in bytes. */
export function rssOf(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + statusBytes(pid, 'VmRSS'), 0)
}

function statOf(pid: number): { readonly parent: number; readonly cpuSeconds: number } | undefined {
  const stat = read(`/proc/${pid}/stat`)
  if (stat === '') return undefined
  // The second field is the command in parentheses and may hold spaces; the parent is field 4, utime and stime are 14 and 15.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return {
    parent: Number(fields[1]),
    cpuSeconds: (Number(fields[11]) + Number(fields[12])) / ticksPerSecond,
  }
}

function statusBytes(pid: number, field: string): number {
  const line = new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(read(`/proc/${pid}/status`))
  return line === null ? 0 : Number(line[1]) * 1024
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}
