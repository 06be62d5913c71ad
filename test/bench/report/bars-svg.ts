import type { PeerResult } from './peers-table.ts'
import { spreadOf } from './spread.ts'

const width = 960
const labelWidth = 250
const valueWidth = 280
const rowHeight = 34
const barHeight = 20
const headHeight = 64
const footHeight = 34
const ours = '#2f6fde'
const theirs = '#9aa4b2'

/** Bars of events per second, the median of the rounds, with a line from the least to the most. */
export function barsSvg(title: string, note: string, results: readonly PeerResult[]): string {
  const measured = results
    .filter(({ rounds }) => rounds.length > 0)
    .map(({ key, name, rounds }) => ({
      key,
      name,
      rate: spreadOf(rounds.map((one) => one.eventsPerSecond)),
      cpu: spreadOf(rounds.map((one) => one.cpuSecondsPerMillion)).median,
    }))
    .sort((a, b) => a.rate.median - b.rate.median)
  const most = Math.max(...measured.map(({ rate }) => rate.most))
  const x = (value: number) => labelWidth + (value / most) * (width - labelWidth - valueWidth)
  const height = headHeight + measured.length * rowHeight + footHeight
  const rows = measured.map(({ key, name, rate, cpu }, index) => {
    const top = headHeight + index * rowHeight
    const middle = top + barHeight / 2
    const bold = key.startsWith('warden') ? ' font-weight="bold"' : ''
    const fill = key.startsWith('warden') ? ours : theirs
    const text = `${thousands(rate.median)} events/s · ${cpu.toFixed(1)} CPU s per M`
    return [
      `<text x="${labelWidth - 10}" y="${middle + 5}" text-anchor="end"${bold}>${escaped(name)}</text>`,
      `<rect x="${labelWidth}" y="${top}" width="${round(x(rate.median) - labelWidth)}" height="${barHeight}" rx="2" fill="${fill}"/>`,
      `<path d="M${round(x(rate.least))} ${middle}H${round(x(rate.most))}" stroke="#222" stroke-width="1.5"/>`,
      `<text x="${round(x(rate.most)) + 8}" y="${middle + 5}"${bold}>${text}</text>`,
    ].join('\n')
  })
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${escaped(title)}" font-family="system-ui, sans-serif" font-size="14" fill="#222">
<rect width="100%" height="100%" fill="#fff"/>
<text x="16" y="28" font-size="17" font-weight="bold">${escaped(title)}</text>
<text x="16" y="48" font-size="12" fill="#555">${escaped(note)}</text>
${rows.join('\n')}
<text x="16" y="${height - 12}" font-size="12" fill="#555">Bars: median of the rounds; lines: least to most.</text>
</svg>
`
}

function thousands(value: number): string {
  return value >= 1e6 ? `${(value / 1e6).toFixed(2)} M` : `${Math.round(value / 1000)} k`
}

function round(value: number): number {
  return Math.round(value * 10) / 10
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;')
}
