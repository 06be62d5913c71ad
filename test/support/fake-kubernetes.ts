import { createServer, type IncomingMessage, type Server } from 'node:http'

interface LeaseBody {
  metadata: { name: string; resourceVersion?: string }
  spec: Record<string, unknown>
}

/** The Lease objects of a Kubernetes API server, with its rule that a write names the version that it replaces. */
export class FakeKubernetes {
  readonly leases = new Map<string, LeaseBody>()
  /** Requests are answered with this status while it is set; `hang` answers nothing. */
  trouble: number | 'hang' | undefined
  /** The next write is done, and its answer is lost. */
  loseAnswer = false
  token = 'good'
  readonly #server: Server
  #version = 0

  constructor() {
    this.#server = createServer((request, response) => {
      void this.#answer(request).then((answer) => {
        if (answer === undefined) return
        if (answer === 'lost') {
          response.destroy()
          return
        }
        response.writeHead(answer.status, { 'content-type': 'application/json' })
        response.end(JSON.stringify(answer.body))
      })
    })
  }

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve))
    const address = this.#server.address()
    if (typeof address !== 'object' || address === null) throw new Error('not listening')
    return `http://127.0.0.1:${address.port}`
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  async #answer(
    request: IncomingMessage,
  ): Promise<{ status: number; body: unknown } | 'lost' | undefined> {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    if (this.trouble === 'hang') return undefined
    if (this.trouble !== undefined) return failure(this.trouble, 'trouble')
    if (request.headers.authorization !== `Bearer ${this.token}`)
      return failure(401, 'Unauthorized')
    const path =
      /^\/apis\/coordination\.k8s\.io\/v1\/namespaces\/([^/]+)\/leases(?:\/([^/]+))?$/.exec(
        request.url ?? '',
      )
    if (path === null) return failure(404, 'the server could not find the requested resource')
    const key = (name: string) => `${path[1]}/${name}`
    if (request.method === 'GET') {
      const found = this.leases.get(key(path[2] ?? ''))
      return found === undefined ? failure(404, 'not found') : { status: 200, body: found }
    }
    const body = JSON.parse(Buffer.concat(chunks).toString()) as LeaseBody
    const known = this.leases.get(key(body.metadata.name))
    if (request.method === 'POST' && known !== undefined) return failure(409, 'already exists')
    if (request.method === 'PUT') {
      if (known === undefined) return failure(404, 'not found')
      if (known.metadata.resourceVersion !== body.metadata.resourceVersion) {
        return failure(409, 'the object has been modified')
      }
    }
    const stored = {
      ...body,
      metadata: { ...body.metadata, resourceVersion: `${++this.#version}` },
    }
    this.leases.set(key(body.metadata.name), stored)
    if (this.loseAnswer) {
      this.loseAnswer = false
      return 'lost'
    }
    return { status: request.method === 'POST' ? 201 : 200, body: stored }
  }
}

const failure = (code: number, message: string) => ({
  status: code,
  body: { kind: 'Status', status: 'Failure', code, message },
})
