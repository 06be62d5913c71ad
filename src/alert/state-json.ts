import type { StateOperation } from '../core/state-store.ts'

/** JSON has no infinity: it stands as a text that no label holds. */
const infinite = '\u0000infinite'
const minusInfinite = '\u0000-infinite'

export function put(key: string, value: unknown): StateOperation {
  const text = JSON.stringify(value, (_, one: unknown) => {
    if (one === Number.POSITIVE_INFINITY) return infinite
    return one === Number.NEGATIVE_INFINITY ? minusInfinite : one
  })
  return { kind: 'put', key, value: Buffer.from(text) }
}

/** What `put` wrote; the state is Warden's own, so its shape is trusted. */
export function decode<T>(bytes: Uint8Array): T {
  return JSON.parse(Buffer.from(bytes).toString('utf8'), (_, one: unknown) => {
    if (one === infinite) return Number.POSITIVE_INFINITY
    return one === minusInfinite ? Number.NEGATIVE_INFINITY : one
  }) as T
}

/** 106 bits of a text as 22 letters and digits: a key of bounded length for any text. Source: cyrb53 (bryc), twice with different seeds. */
export function shortHash(text: string): string {
  return [0, 0x9e3779b9].map((seed) => cyrb53(text, seed).toString(36).padStart(11, '0')).join('')
}

function cyrb53(text: string, seed: number): number {
  let a = 0xdeadbeef ^ seed
  let b = 0x41c6ce57 ^ seed
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    a = Math.imul(a ^ code, 2654435761)
    b = Math.imul(b ^ code, 1597334677)
  }
  a = Math.imul(a ^ (a >>> 16), 2246822507) ^ Math.imul(b ^ (b >>> 13), 3266489909)
  b = Math.imul(b ^ (b >>> 16), 2246822507) ^ Math.imul(a ^ (a >>> 13), 3266489909)
  return 4294967296 * (2097151 & b) + (a >>> 0)
}

/** Time as text that sorts as the time does; for |at| < 8e15. */
export const sortable = (at: number): string => String(8e15 + at).padStart(17, '0')
