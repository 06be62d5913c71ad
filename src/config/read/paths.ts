/** `path` seen from `directory`, without `.` and `..` where they can be worked out; an absolute path stays. */
export function resolvePath(directory: string, path: string): string {
  const whole = path.startsWith('/') ? path : `${directory}/${path}`
  const parts: string[] = []
  for (const part of whole.split('/')) {
    if (part === '' || part === '.') continue
    if (part === '..' && parts.length > 0 && parts.at(-1) !== '..') parts.pop()
    else if (part !== '..' || !whole.startsWith('/')) parts.push(part)
  }
  return `${whole.startsWith('/') ? '/' : ''}${parts.join('/')}`
}

/** `metrics.loan` and `window` make `metrics.loan.window`; the root has the empty path. */
export const join = (path: string, key: string): string => (path === '' ? key : `${path}.${key}`)
