import { readFileSync } from 'node:fs'

/** Ticks per second of the times in /proc: USER_HZ, which is 100 on every Linux that Node runs on. */
const ticksPerSecond = 100

/** Processor time of a process, all its threads, user and system, in seconds. Linux. */
export function cpuSecondsOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  // The second field is the command in parentheses and may hold spaces; utime and stime are fields 14 and 15.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond
}

/** Largest resident set that a process has had, in bytes. Linux. */
export function peakRssOf(pid: number): number {
  const line = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
  return Number(line?.[1]) * 1024
}
