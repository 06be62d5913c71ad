import { createHmac } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface FakeFeishuOptions {
  /** undefined: the bot asks for no signature. */
  readonly secret?: string
  /** undefined: the bot asks for no keyword. */
  readonly keyword?: string
  /** The server's clock, epoch ms. */
  readonly now?: () => number
  /** Answers 11232 for so long after :00 and :30; 0: never. */
  readonly pressureMs?: number
  /** Addresses that may send; undefined: all. */
  readonly allowedIps?: readonly string[]
  /** Refuses every body that holds this text as badly shaped; undefined: none. */
  readonly poison?: string
}

/** What one request does instead of being answered by the rules. */
export type Misbehaviour =
  | { readonly kind: 'hang' }
  | { readonly kind: 'reset' }
  /** `taken`: the message is shown to people all the same. */
  | {
      readonly kind: 'status'
      readonly status: number
      readonly body: string
      readonly taken: boolean
    }
  | { readonly kind: 'taken-without-answer' }

export interface TakenMessage {
  readonly at: number
  readonly bytes: number
  /** Everything that people can read of it, in the order of the body. */
  readonly text: string
  readonly body: Readonly<Record<string, unknown>>
}

const limits = [
  { messages: 5, perMs: 1_000 },
  { messages: 100, perMs: 60_000 },
]
const maxBytes = 20_000
const clockMs = 3_600_000
const path = '/open-apis/bot/v2/hook/the-token'

/**
 * Feishu's custom bot as its documents and the senders of others have it: 5 messages a second and 100 a minute in any span, 20 KB, the
 * signature and its hour, the keyword, shapes by `msg_type`, codes in the body of an HTTP 200 (of a 400 for 9499).
 */
export class FakeFeishu {
  readonly messages: TakenMessage[] = []
  /** Codes of the answers, in order. */
  readonly codes: number[] = []
  /** For the next requests, in order. */
  readonly misbehaviours: Misbehaviour[] = []
  options: FakeFeishuOptions
  readonly #server: Server
  /** Requests by time: what was refused for another reason counts too. */
  readonly #requests: number[] = []

  private constructor(options: FakeFeishuOptions) {
    this.options = options
    this.#server = createServer((request, response) => void this.#handle(request, response))
  }

  static async start(options: FakeFeishuOptions = {}): Promise<FakeFeishu> {
    const fake = new FakeFeishu(options)
    await new Promise<void>((resolve) => fake.#server.listen(0, '127.0.0.1', resolve))
    return fake
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}${path}`
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  #now(): number {
    return this.options.now?.() ?? Date.now()
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const body = Buffer.concat(chunks)
    const misbehaviour = this.misbehaviours.shift()
    if (misbehaviour !== undefined) {
      this.#misbehave(misbehaviour, body, response)
      return
    }
    const ip = request.socket.remoteAddress ?? ''
    const [code, msg] = request.url === path ? this.#judge(body, ip) : [19001, 'token invalid']
    this.codes.push(code)
    if (code === 0) this.#take(body)
    const date = new Date(this.#now()).toUTCString()
    const head = { 'content-type': 'application/json', date }
    response.writeHead(code === 9499 ? 400 : 200, head)
    const legacy = code === 0 ? { Extra: null, StatusCode: 0, StatusMessage: 'success' } : {}
    response.end(JSON.stringify({ code, msg, data: {}, ...legacy }))
  }

  #misbehave(how: Misbehaviour, body: Buffer, response: ServerResponse): void {
    switch (how.kind) {
      case 'hang':
        return
      case 'reset':
        response.destroy()
        return
      case 'taken-without-answer':
        this.#take(body)
        return
      case 'status':
        if (how.taken) this.#take(body)
        response.writeHead(how.status).end(how.body)
    }
  }

  #judge(body: Buffer, ip: string): readonly [code: number, message: string] {
    const now = this.#now()
    this.#requests.push(now)
    for (const { messages, perMs } of limits) {
      if (this.#requests.filter((at) => at > now - perMs).length > messages) {
        return [11232, 'frequency limited psm[lark.oapi.app_platform_runtime]']
      }
    }
    if (now % 1_800_000 < (this.options.pressureMs ?? 10_000)) return [11232, 'system is busy']
    if (this.options.allowedIps?.includes(ip) === false) return [19022, 'Ip Not Allowed']
    if (body.length > maxBytes) return [9499, 'Bad Request']
    const value = parse(body)
    const { poison } = this.options
    if (poison !== undefined && body.includes(poison)) return [9499, 'Bad Request']
    if (value === undefined || !isShaped(value)) return [9499, 'Bad Request']
    if (!this.#isSigned(value, now)) {
      return [19021, 'sign match fail or timestamp is not within one hour from current time']
    }
    const { keyword } = this.options
    if (keyword !== undefined && !textOf(value).includes(keyword)) {
      return [19024, 'Key Words Not Found']
    }
    return [0, 'success']
  }

  #isSigned(value: Readonly<Record<string, unknown>>, now: number): boolean {
    const { secret } = this.options
    if (secret === undefined) return true
    const { timestamp, sign } = value
    if (typeof timestamp !== 'string' || Math.abs(Number(timestamp) * 1_000 - now) > clockMs) {
      return false
    }
    const wanted = createHmac('sha256', `${timestamp}\n${secret}`).update('').digest('base64')
    return sign === wanted
  }

  #take(body: Buffer): void {
    const value = parse(body) ?? {}
    this.messages.push({ at: this.#now(), bytes: body.length, text: textOf(value), body: value })
  }
}

function parse(body: Buffer): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(body.toString())
    return isRecord(value) ? value : undefined
  } catch {
    return undefined
  }
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isShaped(value: Readonly<Record<string, unknown>>): boolean {
  const { msg_type: type, content, card } = value
  switch (type) {
    case 'text':
      return isRecord(content) && typeof content.text === 'string' && content.text !== ''
    case 'post': {
      const post = isRecord(content) ? content.post : undefined
      const languages = isRecord(post) ? Object.values(post) : []
      return (
        languages.length > 0 &&
        languages.every(
          (one) => isRecord(one) && Array.isArray(one.content) && one.content.every(Array.isArray),
        )
      )
    }
    case 'interactive':
      return isRecord(card) && isRecord(card.header) && isElements(card.elements)
    default:
      return false
  }
}

const elementTags = new Set(['div', 'hr', 'action', 'note'])
const textTags = new Set(['plain_text', 'lark_md'])

function isElements(elements: unknown): boolean {
  return (
    Array.isArray(elements) &&
    elements.length > 0 &&
    elements.every((one: unknown) => {
      if (!isRecord(one) || !elementTags.has(String(one.tag))) return false
      if (one.tag !== 'div') return true
      return one.fields !== undefined || (isRecord(one.text) && textTags.has(String(one.text.tag)))
    })
  )
}

/** Every text in it, keys left out. */
function textOf(value: unknown): string {
  if (typeof value === 'string') return value
  if (Array.isArray(value)) return value.map(textOf).join('\n')
  return isRecord(value) ? Object.values(value).map(textOf).join('\n') : ''
}
