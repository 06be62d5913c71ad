import type { SendResult } from '../notifier.ts'
import { after, firstLine, type HttpAnswer, type NoAnswer } from './http-post.ts'

/** What Feishu made of a message; `clock`: the signature was not taken. */
export type FeishuVerdict = SendResult | { readonly kind: 'clock'; readonly reason: string }

const advice: Readonly<Record<number, string>> = {
  19001: 'the address of the bot is wrong or the bot is gone',
  19022: 'the address of this machine is not in the bot’s list of IP addresses',
  19024: 'the bot asks for a keyword: set `keyword` of the receiver',
}

/**
 * The verdict of the body: Feishu answers HTTP 200 to what it did not take, and a gateway before it answers without a code. Only code 0
 * is a success. Codes: https://open.feishu.cn/document/client-docs/bot-v3/add-custom-bot; 9499 was seen for a frequency limit as well.
 */
export function feishuVerdict(answer: HttpAnswer | NoAnswer): FeishuVerdict {
  if (answer.kind === 'none') return { ...answer, kind: 'again' }
  const { status, body } = answer
  const { code, message } = read(body)
  if (code === undefined) {
    const reason = `HTTP ${status} without a code: ${firstLine(body)}`
    const afterMs = wait(answer)
    if (status === 429 || status >= 500 || (status >= 200 && status < 300)) {
      return { kind: 'again', reason, unknown: status !== 429, ...afterMs }
    }
    return { kind: 'blocked', reason }
  }
  if (code === 0) return { kind: 'sent' }
  const reason = `code ${code}: ${message}${advice[code] === undefined ? '' : ` (${advice[code]})`}`
  if (code === 11232 || code === 99991400 || /too many|frequency|limit/i.test(message)) {
    return { kind: 'again', reason, unknown: false, ...wait(answer) }
  }
  switch (code) {
    case 19021:
      return { kind: 'clock', reason }
    case 9499:
      return { kind: 'refused', reason }
    case 19001:
    case 19022:
    case 19024:
      return { kind: 'blocked', reason }
    default:
      return status >= 500 || status === 429
        ? { kind: 'again', reason, unknown: status !== 429, ...wait(answer) }
        : { kind: 'refused', reason }
  }
}

/** `x-ogw-ratelimit-reset`: seconds until the limit is over. */
function wait(answer: HttpAnswer): { readonly afterMs?: number } {
  const seconds = Number(answer.header('x-ogw-ratelimit-reset') ?? Number.NaN)
  return Number.isFinite(seconds) && seconds >= 0
    ? { afterMs: Math.min(seconds, 600) * 1_000 }
    : after(answer)
}

function read(body: string): { readonly code: number | undefined; readonly message: string } {
  try {
    const value: unknown = JSON.parse(body)
    if (typeof value !== 'object' || value === null) return { code: undefined, message: '' }
    const code = 'code' in value ? value.code : 'StatusCode' in value ? value.StatusCode : undefined
    const message = 'msg' in value ? value.msg : undefined
    return {
      code: typeof code === 'number' ? code : undefined,
      message: typeof message === 'string' ? firstLine(message) : '',
    }
  } catch {
    return { code: undefined, message: '' }
  }
}
