import { createHmac, timingSafeEqual } from 'node:crypto'
import { durationMs, type EpochMs, epochMs } from '../../../core/time.ts'
import type { LinkMaker, LinkRequest } from './link-maker.ts'

/** Path of the page behind a link, below `publicUrl`. */
export const linkPath = '/alert-links/confirm'

/** Signed links: the request in base64url, a dot, and its HMAC-SHA256. Whoever has the address may ask for that one thing until it expires. */
export class HttpLinkMaker implements LinkMaker {
  readonly #publicUrl: string
  readonly #key: Uint8Array

  /** @param publicUrl without a slash at its end @param key at least 16 bytes, kept in the state, so that links outlive a restart */
  constructor(publicUrl: string, key: Uint8Array) {
    this.#publicUrl = publicUrl
    this.#key = key
  }

  link({ action, labels, forMs, notification, expiresAt }: LinkRequest): string {
    const content = [1, action, labels, forMs, notification, expiresAt]
    const payload = Buffer.from(JSON.stringify(content)).toString('base64url')
    return `${this.#publicUrl}${linkPath}?token=${payload}.${this.#sign(payload).toString('base64url')}`
  }

  verify(token: string, now: EpochMs): LinkRequest | { readonly problem: string } {
    const [payload = '', signature = '', ...rest] = token.split('.')
    const given = Buffer.from(signature, 'base64url')
    const wanted = this.#sign(payload)
    if (rest.length > 0 || given.length !== wanted.length || !timingSafeEqual(given, wanted)) {
      return { problem: 'This link is not one of Warden’s, or it was cut.' }
    }
    const request = read(payload)
    if (request === undefined) return { problem: 'This link is of another version of Warden.' }
    if (request.expiresAt <= now) {
      return { problem: 'This link has expired; use that of a newer message.' }
    }
    return request
  }

  #sign(payload: string): Buffer {
    return createHmac('sha256', this.#key).update(`alert-link\n${payload}`).digest()
  }
}

/** What was signed was written by `link`; only the version is in doubt. */
function read(payload: string): LinkRequest | undefined {
  const content: unknown = JSON.parse(Buffer.from(payload, 'base64url').toString())
  if (!Array.isArray(content) || content[0] !== 1) return undefined
  const [, action, labels, forMs, notification, expiresAt] = content as unknown[]
  if (action !== 'silence' && action !== 'acknowledge') return undefined
  if (typeof labels !== 'object' || labels === null) return undefined
  return {
    action,
    labels: Object.fromEntries(
      Object.entries(labels).map(([name, value]) => [name, String(value)]),
    ),
    forMs: durationMs(Number(forMs)),
    notification: String(notification),
    expiresAt: epochMs(Number(expiresAt)),
  }
}
