import { readFileSync, writeFileSync } from 'node:fs'

const docs = new URL('../../../docs/', import.meta.url)

/** Puts the text between the markers `<!-- SECTION -->` and `<!-- /SECTION -->` of a file in docs; the rest stays. */
export function replaceSection(file: string, section: string, text: string): void {
  const url = new URL(file, docs)
  const before = readFileSync(url, 'utf8')
  const [open, close] = [`<!-- ${section} -->`, `<!-- /${section} -->`]
  const [from, to] = [before.indexOf(open), before.indexOf(close)]
  if (from < 0 || to < from) throw new Error(`docs/${file} has no markers ${open} and ${close}`)
  writeFileSync(url, `${before.slice(0, from + open.length)}\n${text}\n${before.slice(to)}`)
}

/** Writes a whole file in docs, such as a drawing. */
export function writeDoc(file: string, text: string): void {
  writeFileSync(new URL(file, docs), text)
}
