/**
 * ZooKeeper's protocol, as much of it as a lease needs: big-endian numbers, texts and bytes after their length.
 * Source: zookeeper.jute and ZooDefs.java of Apache ZooKeeper 3.9.
 */

export const zookeeperErrors: Readonly<Record<number, string>> = {
  [-4]: 'connection lost',
  [-101]: 'no node',
  [-102]: 'no authentication',
  [-103]: 'bad version',
  [-108]: 'no children for ephemerals',
  [-110]: 'node exists',
  [-112]: 'session expired',
  [-114]: 'invalid ACL',
  [-115]: 'authentication failed',
  [-119]: 'session moved',
}

export const noNode = -101
export const nodeExists = -110

/** Identifies the answer of a ping, of an authentication, and what a watch says. */
export const pingXid = -2
export const authXid = -4
export const watchXid = -1

const operations = { create: 1, getData: 4, ping: 11, close: -11, auth: 100 }

export interface Session {
  readonly id: bigint
  readonly password: Buffer
}

/** Appends values to a growing message; `finish` puts its length before it. */
class MessageWriter {
  readonly #parts: Buffer[] = []

  int(value: number): this {
    const bytes = Buffer.alloc(4)
    bytes.writeInt32BE(value)
    this.#parts.push(bytes)
    return this
  }

  long(value: bigint): this {
    const bytes = Buffer.alloc(8)
    bytes.writeBigInt64BE(value)
    this.#parts.push(bytes)
    return this
  }

  bool(value: boolean): this {
    this.#parts.push(Buffer.of(value ? 1 : 0))
    return this
  }

  bytes(value: Uint8Array): this {
    this.int(value.length)
    this.#parts.push(Buffer.from(value))
    return this
  }

  text(value: string): this {
    return this.bytes(Buffer.from(value, 'utf8'))
  }

  finish(): Buffer {
    const body = Buffer.concat(this.#parts)
    const length = Buffer.alloc(4)
    length.writeInt32BE(body.length)
    return Buffer.concat([length, body])
  }
}

/** @param session the one to go on with; undefined: a new one */
export function connectRequest(timeoutMs: number, session: Session | undefined): Buffer {
  return new MessageWriter()
    .int(0)
    .long(0n)
    .int(timeoutMs)
    .long(session?.id ?? 0n)
    .bytes(session?.password ?? Buffer.alloc(16))
    .bool(false)
    .finish()
}

export interface Connected {
  /** What the server agreed to; 0: the session has expired. */
  readonly timeoutMs: number
  readonly session: Session
}

export function readConnected(body: Buffer): Connected {
  const length = body.readInt32BE(16)
  return {
    timeoutMs: body.readInt32BE(4),
    session: { id: body.readBigInt64BE(8), password: Buffer.from(body.subarray(20, 20 + length)) },
  }
}

/** User and password of the `digest` scheme. */
export const authRequest = (credentials: string): Buffer =>
  new MessageWriter()
    .int(authXid)
    .int(operations.auth)
    .int(0)
    .text('digest')
    .text(credentials)
    .finish()

export const pingRequest = (): Buffer =>
  new MessageWriter().int(pingXid).int(operations.ping).finish()

export const closeRequest = (xid: number): Buffer =>
  new MessageWriter().int(xid).int(operations.close).finish()

/** @param onlyCreator nobody but the user of the `digest` authentication may touch the node */
export function createRequest(
  xid: number,
  path: string,
  text: string,
  kind: 'ephemeral' | 'persistent',
  onlyCreator: boolean,
): Buffer {
  const everything = 31
  return new MessageWriter()
    .int(xid)
    .int(operations.create)
    .text(path)
    .text(text)
    .int(1)
    .int(everything)
    .text(onlyCreator ? 'auth' : 'world')
    .text(onlyCreator ? '' : 'anyone')
    .int(kind === 'ephemeral' ? 1 : 0)
    .finish()
}

/** @param watch tell when the node changes or goes */
export const getRequest = (xid: number, path: string, watch: boolean): Buffer =>
  new MessageWriter().int(xid).int(operations.getData).text(path).bool(watch).finish()

export interface Reply {
  readonly xid: number
  /** 0: it went well. */
  readonly error: number
  readonly body: Buffer
}

export function readReply(message: Buffer): Reply {
  return { xid: message.readInt32BE(0), error: message.readInt32BE(12), body: message.subarray(16) }
}

export interface NodeContent {
  readonly text: string
  /** Transaction that created the node: larger for every node that is made anew. */
  readonly createdIn: bigint
  /** Session that an ephemeral node lives with. */
  readonly owner: bigint
}

/** Answer of `getRequest`: the bytes and the node's Stat. */
export function readNode(body: Buffer): NodeContent {
  const length = Math.max(0, body.readInt32BE(0))
  const stat = 4 + length
  return {
    text: body.toString('utf8', 4, stat),
    createdIn: body.readBigInt64BE(stat),
    // czxid, mzxid, ctime, mtime: 4 × 8; version, cversion, aversion: 3 × 4.
    owner: body.readBigInt64BE(stat + 44),
  }
}

/** Cuts a stream of bytes into messages. */
export class MessageReader {
  #rest: Buffer = Buffer.alloc(0)

  /** @throws RangeError when the peer speaks something else */
  push(chunk: Buffer): Buffer[] {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
    const messages: Buffer[] = []
    while (this.#rest.length >= 4) {
      const length = this.#rest.readInt32BE(0)
      if (length < 0 || length > 4 * 2 ** 20) throw new RangeError(`a message of ${length} bytes`)
      if (this.#rest.length < 4 + length) break
      messages.push(this.#rest.subarray(4, 4 + length))
      this.#rest = this.#rest.subarray(4 + length)
    }
    return messages
  }
}
