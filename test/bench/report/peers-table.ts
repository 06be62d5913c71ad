import type { Measured } from '../peers/stopwatch.ts'
import { spreadOf, spreadText } from './spread.ts'

export interface PeerResult {
  readonly key: string
  readonly name: string
  readonly rounds: readonly Measured[]
  /** Why it was given up. */
  readonly failure?: string | undefined
}

/** Those that others are set against, where they were measured. */
const references = [
  { key: 'flink-heap', name: 'Flink heap' },
  { key: 'flink-rocksdb', name: 'Flink RocksDB' },
  { key: 'kafkajs', name: 'kafkajs' },
] as const

/** Markdown: what each peer did, and each one against the references: medians, and least and most of the rounds. */
export function peersTable(results: readonly PeerResult[]): string {
  const measured = results.filter(({ rounds }) => rounds.length > 0)
  const against = references.flatMap(({ key, name }) => {
    const found = measured.find((one) => one.key === key)
    return found === undefined ? [] : [{ name, rounds: found.rounds }]
  })
  const rows = measured.map(({ name, rounds }) => {
    const figures = (of: (one: Measured) => number, digits: number) =>
      spreadText(rounds.map(of), digits)
    const checkpoints = rounds.flatMap((one) => one.checkpoints ?? [])
    return [
      name,
      figures((one) => one.eventsPerSecond / 1000, 0),
      figures((one) => one.cpuSecondsPerMillion, 2),
      figures((one) => one.lifeCpuSecondsPerMillion, 2),
      figures((one) => one.peakRssMib, 0),
      checkpoints.length === 0 ? 'none' : String(spreadOf(checkpoints).median),
      ...against.map((one) => (one.rounds === rounds ? '1' : ratioText(rounds, one.rounds))),
    ]
  })
  const heads = [
    ...['peer', '1000 events/s', 'CPU s per M', 'the same from start to end', 'peak RSS, MiB'],
    'checkpoints',
    ...against.map(({ name }) => `× ${name}`),
  ]
  const failures = results.flatMap(({ name, failure }) =>
    failure === undefined ? [] : [`\n\n**${name} failed**: ${failure.split('\n')[0]}`],
  )
  return table(heads, rows) + failures.join('')
}

export function table(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  return [line(heads), `|${heads.map(() => '---|').join('')}`, ...rows.map(line)].join('\n')
}

/** Median rate over median rate. */
export function ratioOfMedians(rounds: readonly Measured[], others: readonly Measured[]): number {
  const median = (list: readonly Measured[]) =>
    spreadOf(list.map((one) => one.eventsPerSecond)).median
  return median(rounds) / median(others)
}

function ratioText(rounds: readonly Measured[], others: readonly Measured[]): string {
  const each = rounds.flatMap((one, index) => {
    const other = others[index]
    return other === undefined ? [] : [one.eventsPerSecond / other.eventsPerSecond]
  })
  const text = `**${ratioOfMedians(rounds, others).toFixed(2)}**`
  if (each.length < 2) return text
  const { least, most } = spreadOf(each)
  return `${text} (${least.toFixed(2)}–${most.toFixed(2)})`
}
