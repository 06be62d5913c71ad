import type { ComposedMessage } from './message-style.ts'

/** Which parts of a message are shown, so that it fits. */
export interface Extent {
  /** Sections in full. */
  readonly detailed: number
  /** Sections shown at all; the rest is a number. */
  readonly shown: number
  readonly evidence: boolean
  readonly buttons: boolean
}

const detailedAtMost = 3

/** Bytes of a text in UTF-8. */
export const bytesOf = (text: string): number => new TextEncoder().encode(text).length

/**
 * The fullest form of a message within so many bytes.
 * @param render the whole body; more of the message never makes it shorter
 * @returns the body, and how many alerts are only counted in it
 */
export function fit(
  composed: ComposedMessage,
  maxBytes: number,
  render: (composed: ComposedMessage, extent: Extent) => string,
): { readonly body: string; readonly hidden: number } {
  const all = composed.sections.length
  const body = (extent: Extent) => render(composed, extent)
  const fits = (extent: Extent) => bytesOf(body(extent)) <= maxBytes
  const hiddenBy = ({ shown }: Extent) => all - shown + composed.unlisted
  const forms = [
    { detailed: detailedAtMost, evidence: true, buttons: true },
    { detailed: 1, evidence: true, buttons: true },
    { detailed: 0, evidence: true, buttons: true },
    { detailed: 0, evidence: false, buttons: true },
    { detailed: 0, evidence: false, buttons: false },
  ]
  // Rather all alerts in short than a few in full.
  for (const form of forms) {
    const extent = { ...form, detailed: Math.min(all, form.detailed), shown: all }
    if (fits(extent)) return { body: body(extent), hidden: hiddenBy(extent) }
  }
  for (const form of forms) {
    const extentOf = (shown: number) => ({
      ...form,
      detailed: Math.min(shown, form.detailed),
      shown,
    })
    const shown = most(all, (count) => fits(extentOf(count)))
    if (shown > 0) return { body: body(extentOf(shown)), hidden: hiddenBy(extentOf(shown)) }
  }
  const last = { detailed: 0, shown: 0, evidence: false, buttons: false }
  return { body: body(last), hidden: hiddenBy(last) }
}

/** The greatest count in [0, all] for which `holds`, which holds for every smaller one then. */
export function most(all: number, holds: (count: number) => boolean): number {
  let low = 0
  let high = all
  while (low < high) {
    const middle = Math.ceil((low + high) / 2)
    if (holds(middle)) low = middle
    else high = middle - 1
  }
  return low
}
