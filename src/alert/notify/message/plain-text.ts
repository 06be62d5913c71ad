import type { Extent } from './fit.ts'
import type { ComposedMessage } from './message-style.ts'
import type { Words } from './words.ts'

/** A message as lines, for receivers without markup. The title is not in it. */
export function textLines(composed: ComposedMessage, words: Words, extent: Extent): string[] {
  const lines: string[] = []
  if (composed.summary !== '') lines.push(composed.summary, '')
  composed.sections.slice(0, extent.shown).forEach((section, index) => {
    if (index >= extent.detailed) {
      lines.push(section.short)
      return
    }
    lines.push(section.heading)
    if (section.numbers.length > 0) {
      lines.push(section.numbers.map(({ name, value }) => `${name} ${value}`).join(' · '))
    }
    lines.push(...section.lines, '')
  })
  const hidden = composed.sections.length - extent.shown + composed.unlisted
  if (hidden > 0) lines.push(words.more(hidden))
  if (extent.evidence && composed.evidence.length > 0) {
    lines.push(`${words.evidence}:`, ...composed.evidence, '')
  }
  if (extent.buttons) lines.push(...composed.buttons.map(({ text, url }) => `${text}: ${url}`))
  lines.push(...composed.notes)
  return lines
}

/** Everything. */
export const whole = (composed: ComposedMessage): Extent => ({
  detailed: composed.sections.length,
  shown: composed.sections.length,
  evidence: true,
  buttons: true,
})
