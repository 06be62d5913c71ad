/**
 * Rows of a CSV text (RFC 4180: fields in double quotes may hold commas, line ends and doubled quotes); empty lines are left out.
 * @throws Error naming the line of a quote that is never closed
 */
export function csvRows(text: string, separator = ','): string[][] {
  const rows: string[][] = []
  let row: string[] = []
  let at = text.startsWith('\ufeff') ? 1 : 0
  while (at < text.length) {
    let field = ''
    if (text[at] === '"') {
      const opened = at
      for (;;) {
        const quote = text.indexOf('"', at + 1)
        if (quote < 0) {
          const line = text.slice(0, opened).split('\n').length
          throw new Error(`the quote in line ${line} is never closed`)
        }
        field += text.slice(at + 1, quote)
        at = quote + 1
        if (text[at] !== '"') break
        field += '"'
      }
    }
    const from = at
    while (at < text.length && text[at] !== separator && text[at] !== '\n') at++
    const rest = text.slice(from, at)
    row.push(field + (rest.endsWith('\r') && text[at] !== separator ? rest.slice(0, -1) : rest))
    if (text[at] === separator) {
      at++
      if (at === text.length || text[at] === '\n') row.push('')
      if (at < text.length && text[at] !== '\n') continue
    }
    at++
    if (row.length > 1 || row[0] !== '') rows.push(row)
    row = []
  }
  return rows
}
