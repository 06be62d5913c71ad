import type { Pane } from '../core/pane.ts'

/** Windows of the demo as sections of a table, 80 columns wide: one line per series, the total last. */
export class DemoTable {
  /** Windows shown, corrections not counted. */
  windows = 0
  readonly #print: (text: string) => void
  readonly #total: string

  /** @param total name of the metric without dimensions */
  constructor(print: (text: string) => void, total: string) {
    this.#print = print
    this.#total = total
  }

  show(panes: readonly Pane[]): void {
    const sections = new Map<string, Pane[]>()
    for (const pane of panes) {
      const key = `${pane.windowStart} ${pane.firing}`
      const section = sections.get(key)
      if (section === undefined) sections.set(key, [pane])
      else section.push(pane)
    }
    for (const section of sections.values()) this.#show(section)
  }

  #show(panes: readonly Pane[]): void {
    const [first] = panes
    if (first === undefined) return
    const late = first.firing === 'late'
    if (!late) this.windows++
    const span = `${minuteOf(first.windowStart)} to ${minuteOf(first.windowEnd).slice(11)} UTC`
    const head = late
      ? `${span}, corrected by late events`
      : line(span, ['events', 'users', 'raw rate', 'user rate'])
    const rows = panes
      .map((pane) => ({ pane, isTotal: pane.metric === this.#total, name: seriesOf(pane) }))
      .sort((a, b) => Number(a.isTotal) - Number(b.isTotal) || (a.name < b.name ? -1 : 1))
      .map(({ pane, isTotal, name }) => row(isTotal ? 'all' : `  ${name}`, pane))
    this.#print(`\n${[head, ...rows].join('\n')}\n`)
  }
}

const seriesOf = ({ tags }: Pane): string => Object.values(tags).join(' / ')

function row(name: string, { values }: Pane): string {
  const { events = 0, users = 0, rawRate, rate } = values
  return line(name, [String(events), String(users), percent(rawRate), percent(rate)])
}

function line(name: string, cells: readonly string[]): string {
  return name.padEnd(36) + cells.map((cell) => cell.padStart(10)).join(' ')
}

const minuteOf = (at: number): string => new Date(at).toISOString().slice(0, 16).replace('T', ' ')

const percent = (share: number | undefined): string =>
  share === undefined ? '–' : `${(share * 100).toFixed(1)} %`
