/** Values by dotted path; what is undefined is not there. */
export type TemplateView = (path: string) => string | undefined

type Part =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'value'; readonly path: string; readonly fallback: string | undefined }

/** A text with `{{ path }}` and `{{ path | "fallback" }}` in it; nothing else is possible in it, so nothing in it can run. */
export interface Template {
  readonly source: string
  readonly parts: readonly Part[]
}

export type Rendered =
  | { readonly kind: 'text'; readonly text: string }
  /** In words: why this template can't be used here. */
  | { readonly kind: 'problem'; readonly problem: string }

const hole = /\{\{(.*?)\}\}/gs
const content = /^\s*([A-Za-z_][\w.-]*)\s*(?:\|\s*(?:"([^"]*)"|'([^']*)')\s*)?$/

/** Reads a template. @returns the problem in words when it can't be read */
export function parseTemplate(source: string): Template | { readonly problem: string } {
  const parts: Part[] = []
  let from = 0
  for (const found of source.matchAll(hole)) {
    const [whole, inner = ''] = found
    const [, path, quoted, single] = content.exec(inner) ?? []
    if (path === undefined) {
      return { problem: `${whole} is no {{ path }} and no {{ path | "fallback" }}` }
    }
    parts.push({ kind: 'text', text: source.slice(from, found.index) })
    parts.push({ kind: 'value', path, fallback: quoted ?? single })
    from = found.index + whole.length
  }
  const rest = source.slice(from)
  if (rest.includes('{{') || rest.includes('}}'))
    return { problem: '{{ without }}, or the reverse' }
  parts.push({ kind: 'text', text: rest })
  return { source, parts }
}

/** @param encode how a value is written, so that it stays a value where it is put; texts of the template are left as they are */
export function renderTemplate(
  template: Template,
  view: TemplateView,
  encode: (value: string) => string = (value) => value,
): Rendered {
  let text = ''
  for (const part of template.parts) {
    if (part.kind === 'text') {
      text += part.text
      continue
    }
    const value = view(part.path) ?? part.fallback
    if (value === undefined) return { kind: 'problem', problem: `there is no ${part.path}` }
    text += encode(value)
  }
  return { kind: 'text', text }
}

/** What may stand in a text of a rule: a broken template there is shown as it is. */
export function renderText(source: string, view: TemplateView): string {
  const template = parseTemplate(source)
  if ('problem' in template) return source
  const rendered = renderTemplate(template, view)
  return rendered.kind === 'text' ? rendered.text : source
}
