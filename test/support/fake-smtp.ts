import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'

const usual: Readonly<Record<string, string>> = {
  greeting: '220 mail.example.com ESMTP',
  EHLO: '250 mail.example.com',
  DATA: '354 go on',
  QUIT: '221 bye',
  mail: '250 taken',
}

/** Speaks as much SMTP as a mail takes, on a free loopback port. */
export class FakeSmtp {
  /** Mails that it called taken, head and body. */
  readonly mails: string[] = []
  /** Replies by command, `greeting` and `mail` (the end of a mail) in place of the usual ones; `hang` says nothing, `take-and-close` takes a mail and is gone. */
  replies: Readonly<Record<string, string>>
  readonly #sockets = new Set<Socket>()
  readonly #server: Server

  private constructor(replies: Readonly<Record<string, string>>) {
    this.replies = replies
    this.#server = createServer((socket) => this.#talk(socket))
  }

  static async start(replies: Readonly<Record<string, string>> = {}): Promise<FakeSmtp> {
    const smtp = new FakeSmtp(replies)
    await new Promise<void>((resolve) => smtp.#server.listen(0, '127.0.0.1', resolve))
    return smtp
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  #talk(socket: Socket): void {
    this.#sockets.add(socket)
    socket.on('error', () => {})
    let text = ''
    let isMail = false
    this.#say(socket, 'greeting')
    socket.on('data', (chunk) => {
      text += String(chunk)
      for (;;) {
        const end = isMail ? text.indexOf('\r\n.\r\n') : text.indexOf('\r\n')
        if (end < 0) return
        const part = text.slice(0, end)
        text = text.slice(end + (isMail ? 5 : 2))
        if (isMail) {
          isMail = false
          const reply = this.replies.mail ?? '250'
          if (reply.startsWith('250') || reply === 'take-and-close') this.mails.push(part)
          this.#say(socket, 'mail')
          continue
        }
        const verb = part.split(/[ :]/, 1)[0]?.toUpperCase() ?? ''
        if (verb === 'DATA') isMail = true
        this.#say(socket, verb)
      }
    })
  }

  #say(socket: Socket, what: string): void {
    const reply = this.replies[what] ?? usual[what] ?? '250 fine'
    if (reply === 'take-and-close') socket.destroy()
    else if (reply !== 'hang') socket.write(`${reply}\r\n`)
  }
}
