import { createHmac } from 'node:crypto'

/** The signature of a custom bot: HMAC-SHA256 of nothing, keyed by time and secret, in base64. @param seconds since 1970 */
export function feishuSignature(seconds: number, secret: string): string {
  return createHmac('sha256', `${seconds}\n${secret}`).update('').digest('base64')
}
