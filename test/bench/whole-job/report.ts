import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { cpus, loadavg, totalmem } from 'node:os'
import type { Measured } from './measure.ts'

export interface PeerResult {
  readonly name: string
  readonly rounds: readonly Measured[]
}

/** Markdown: what each peer did, and each one against the first. */
export function resultTable(results: readonly PeerResult[]): string {
  const spread = (values: readonly number[], digits: number) => {
    const [least, middle, most] = quartiles(values)
    return `${least.toFixed(digits)} / **${middle.toFixed(digits)}** / ${most.toFixed(digits)}`
  }
  const rows = results.map(({ name, rounds }) => {
    const rate = spread(
      rounds.map((one) => one.eventsPerSecond / 1000),
      0,
    )
    const cpu = spread(
      rounds.map((one) => one.cpuSecondsPerMillion),
      2,
    )
    const rss = spread(
      rounds.map((one) => one.peakRssMib),
      0,
    )
    return `| ${name} | ${rate} | ${cpu} | ${rss} | ${ratios(rounds, results[0]?.rounds ?? [])} |`
  })
  return [
    '| peer | 1000 events/s | CPU s per million | peak RSS, MiB | rate against the first: of medians (by round) |',
    '|---|---|---|---|---|',
    ...rows,
  ].join('\n')
}

/** Median rate of the results over that of the others. */
export function ratioOfMedians(rounds: readonly Measured[], others: readonly Measured[]): number {
  const median = (list: readonly Measured[]) => quartiles(list.map((one) => one.eventsPerSecond))[1]
  return median(rounds) / median(others)
}

function ratios(rounds: readonly Measured[], first: readonly Measured[]): string {
  if (rounds === first) return ''
  const each = rounds.map((one, index) => {
    return (one.eventsPerSecond / (first[index]?.eventsPerSecond ?? Number.NaN)).toFixed(2)
  })
  return `**${ratioOfMedians(rounds, first).toFixed(2)}** (${each.join(', ')})`
}

/** Least, median and most. */
function quartiles(values: readonly number[]): [least: number, middle: number, most: number] {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (index: number) => sorted[index] ?? Number.NaN
  const half = sorted.length >> 1
  const middle = sorted.length % 2 === 1 ? at(half) : (at(half - 1) + at(half)) / 2
  return [at(0), middle, at(sorted.length - 1)]
}

/** The machine and the versions, in one sentence each. Call it before the work: it tells how busy the machine was. */
export function circumstances(command: string): string {
  const cores = cpus()
  const gib = (totalmem() / 2 ** 30).toFixed(0)
  const root = new URL('../../../', import.meta.url)
  const lock = JSON.parse(readFileSync(new URL('package-lock.json', root), 'utf8')) as {
    readonly packages: Readonly<Record<string, { readonly version?: string }>>
  }
  const version = (name: string) => lock.packages[`node_modules/${name}`]?.version
  const pom = readFileSync(new URL('test/services/kafka/pom.xml', root), 'utf8')
  const kafka = /<kafka\.version>([^<]+)</.exec(pom)?.[1]
  const commit = execFileSync('git', ['describe', '--always', '--dirty'], { cwd: root })
  return [
    `- \`${command}\`, ${new Date().toISOString().slice(0, 16)} UTC, commit ${String(commit).trim()}`,
    `- ${cores.length} × ${cores[0]?.model.trim()}, ${gib} GiB; load average before the run ${loadavg()[0]?.toFixed(2)}; the broker runs on the same cores`,
    `- Node ${process.versions.node}, Kafka ${kafka}, kafkajs ${version('kafkajs')}, @platformatic/kafka ${version('@platformatic/kafka')}`,
  ].join('\n')
}

/** Puts the text between the markers `<!-- NAME -->` and `<!-- /NAME -->` of a file. */
export function replaceSection(file: URL, name: string, text: string): void {
  const before = readFileSync(file, 'utf8')
  const [open, close] = [`<!-- ${name} -->`, `<!-- /${name} -->`]
  const [from, to] = [before.indexOf(open), before.indexOf(close)]
  if (from < 0 || to < from) throw new Error(`${file.pathname} has no markers ${open} and ${close}`)
  writeFileSync(file, `${before.slice(0, from + open.length)}\n${text}\n${before.slice(to)}`)
}
