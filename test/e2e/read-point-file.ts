import { readFileSync } from 'node:fs'
import { pointKey } from './read-opentsdb.ts'

interface PointLine {
  readonly metric: string
  readonly timestamp: number
  readonly value: number | string
  readonly tags: Readonly<Record<string, string>>
  readonly incarnation: number
  readonly revision: number
}

/** `pointKey` → value of everything in the file of a file sink: of several lines of a point the newest revision counts. */
export function readPointFile(file: string): Map<string, number> {
  const newest = new Map<string, PointLine>()
  for (const text of readFileSync(file, 'utf8').split('\n').slice(0, -1)) {
    const line = JSON.parse(text) as PointLine
    const key = pointKey(line.metric, line.tags, line.timestamp)
    const known = newest.get(key)
    if (known === undefined || isNewer(line, known)) newest.set(key, line)
  }
  return new Map([...newest].map(([key, { value }]) => [key, Number(value)]))
}

function isNewer(line: PointLine, than: PointLine): boolean {
  if (line.incarnation !== than.incarnation) return line.incarnation > than.incarnation
  return line.revision >= than.revision
}
