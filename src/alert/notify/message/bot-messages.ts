import type { Extent } from './fit.ts'
import type { ComposedMessage, Section, Tone } from './message-style.ts'
import { textLines } from './plain-text.ts'
import type { Words } from './words.ts'

/** Bodies of Feishu's custom bots, without time and signature. What comes from outside is only ever `plain_text`: it can call nobody. */

const colours: Readonly<Record<Tone, string>> = {
  bad: 'red',
  warn: 'orange',
  good: 'green',
  mixed: 'orange',
  calm: 'blue',
}

const plainText = (content: string) => ({ tag: 'plain_text', content })
const div = (content: string) => ({ tag: 'div', text: plainText(content) })
const rule = { tag: 'hr' }

/** An interactive card (version 1, which every client shows). */
export function feishuCard(
  composed: ComposedMessage,
  words: Words,
  extent: Extent,
  mention: readonly string[],
): string {
  const { title, tone, summary, sections, unlisted, evidence, buttons, notes } = composed
  const elements: unknown[] = []
  if (mention.length > 0) {
    const content = mention.map((id) => `<at id=${safeId(id)}></at>`).join(' ')
    elements.push({ tag: 'div', text: { tag: 'lark_md', content } })
  }
  if (summary !== '') elements.push(div(summary))
  const shown = sections.slice(0, extent.shown)
  for (const section of shown.slice(0, extent.detailed)) elements.push(...detail(section))
  const short = shown.slice(extent.detailed).map((section) => section.short)
  if (short.length > 0) elements.push(div(short.join('\n')))
  const hidden = sections.length - shown.length + unlisted
  if (hidden > 0) elements.push(div(words.more(hidden)))
  if (extent.evidence && evidence.length > 0) {
    elements.push(rule, div([`${words.evidence}:`, ...evidence].join('\n')))
  }
  if (extent.buttons && buttons.length > 0) {
    const actions = buttons.map(({ text, url, primary }) => ({
      tag: 'button',
      text: plainText(text),
      type: primary ? 'primary' : 'default',
      url,
    }))
    elements.push({ tag: 'action', actions })
  }
  elements.push({ tag: 'note', elements: notes.map(plainText) })
  return JSON.stringify({
    msg_type: 'interactive',
    card: {
      config: { wide_screen_mode: true },
      header: { template: colours[tone], title: plainText(title) },
      elements,
    },
  })
}

function detail({ heading, numbers, lines }: Section): unknown[] {
  const elements: unknown[] = [div(heading)]
  if (numbers.length > 0) {
    const fields = numbers.map(({ name, value }) => ({
      is_short: true,
      text: plainText(`${name}\n${value}`),
    }))
    elements.push({ tag: 'div', fields })
  }
  if (lines.length > 0) elements.push(div(lines.join('\n')))
  return elements
}

/** Rich text: lines with links. */
export function feishuPost(
  composed: ComposedMessage,
  words: Words,
  extent: Extent,
  mention: readonly string[],
): string {
  const lines = textLines(composed, words, { ...extent, buttons: false })
  const content: unknown[][] = lines.map((text) => [{ tag: 'text', text }])
  if (extent.buttons && composed.buttons.length > 0) {
    content.push(
      composed.buttons.flatMap(({ text, url }) => [
        { tag: 'a', text, href: url },
        { tag: 'text', text: '  ' },
      ]),
    )
  }
  if (mention.length > 0) content.push(mention.map((id) => ({ tag: 'at', user_id: safeId(id) })))
  return JSON.stringify({
    msg_type: 'post',
    content: { post: { zh_cn: { title: composed.title, content } } },
  })
}

/** Plain text. Feishu reads `<at …>` in it, so that angle brackets from outside are replaced. */
export function feishuText(
  composed: ComposedMessage,
  words: Words,
  extent: Extent,
  mention: readonly string[],
): string {
  const lines = [composed.title, ...textLines(composed, words, extent)]
  const text = lines.join('\n').replaceAll('<', '‹').replaceAll('>', '›')
  const at = mention.map((id) => `<at user_id="${safeId(id)}"></at>`).join(' ')
  return JSON.stringify({
    msg_type: 'text',
    content: { text: at === '' ? text : `${text}\n${at}` },
  })
}

const safeId = (id: string): string => id.replaceAll(/[^\w.@-]/g, '')
