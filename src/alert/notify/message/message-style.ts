import type { Template } from '../../../core/template.ts'
import type { LinkMaker } from '../links/link-maker.ts'
import type { TimeText } from './time-text.ts'
import type { Words } from './words.ts'

/** How messages of one receiver read. */
export interface MessageStyle {
  readonly job: string
  readonly words: Words
  readonly times: TimeText
  /** Own texts in place of the built-in ones; undefined: none. */
  readonly title: Template | undefined
  readonly summary: Template | undefined
  /** Address of the dashboard, with values of the window and the series; undefined: no button. */
  readonly dashboard: Template | undefined
  /** undefined: no buttons that do something. */
  readonly links: LinkMaker | undefined
  /** Must stand in every message; undefined: none. */
  readonly keyword: string | undefined
}

/** What a message looks like at a glance. */
export type Tone = 'bad' | 'warn' | 'good' | 'mixed' | 'calm'

export interface Section {
  readonly heading: string
  readonly lines: readonly string[]
  readonly numbers: readonly { readonly name: string; readonly value: string }[]
  /** All of it in one line, for when there is no room. */
  readonly short: string
}

export interface Button {
  readonly text: string
  readonly url: string
  readonly primary: boolean
}

/** A message in words, before it takes the shape of a receiver. */
export interface ComposedMessage {
  readonly title: string
  readonly tone: Tone
  /** Own text above the sections; empty: none. */
  readonly summary: string
  readonly sections: readonly Section[]
  /** Alerts that the notification did not list. */
  readonly unlisted: number
  readonly evidence: readonly string[]
  readonly buttons: readonly Button[]
  /** Incident, repeat, what was given up, the keyword. */
  readonly notes: readonly string[]
}

/** A text of bounded length, in characters. */
export function clip(text: string, length: number): string {
  if (text.length <= length) return text
  // Not through the middle of a character of two halves.
  const end = /[\uD800-\uDBFF]/.test(text.charAt(length - 2)) ? length - 2 : length - 1
  return `${text.slice(0, end)}…`
}
