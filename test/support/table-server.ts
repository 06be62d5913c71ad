import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Entry } from '../../src/enrich/origin.ts'

/** An HTTP API with a table, that can misbehave. `POST /batch`, `GET /one/<key>`, `GET /all`. */
export interface TableServer {
  readonly url: string
  /** Keys of each request for some. */
  readonly asked: string[][]
  entries: Readonly<Record<string, Entry>>
  /** What it does instead of answering; undefined: it answers. `hang`: nothing. */
  fault: 'hang' | 'reset' | number | undefined
  /** Body of an answer with a status that is no success. */
  faultBody: string
  readonly headers: Record<string, string | undefined>[]
  close(): Promise<void>
}

export async function startTableServer(
  entries: Readonly<Record<string, Entry>>,
): Promise<TableServer> {
  const http = createServer((request, response) => {
    server.headers.push(request.headers as Record<string, string | undefined>)
    const path = request.url ?? ''
    let body = ''
    request.on('data', (part) => {
      body += part
    })
    request.on('end', () => {
      if (server.fault === 'hang') return
      if (server.fault === 'reset') {
        request.socket.destroy()
        return
      }
      if (server.fault !== undefined) {
        send(response, server.fault, server.faultBody)
        return
      }
      answer(path, body, response)
    })
  })
  const own = (key: string): Entry | undefined =>
    Object.hasOwn(server.entries, key) ? server.entries[key] : undefined
  const answer = (path: string, body: string, response: ServerResponse) => {
    if (path === '/all') return send(response, 200, JSON.stringify(server.entries))
    if (path.startsWith('/one/')) {
      const key = decodeURIComponent(path.slice('/one/'.length))
      server.asked.push([key])
      const entry = own(key)
      return entry === undefined
        ? send(response, 404, 'no such product')
        : send(response, 200, JSON.stringify(entry))
    }
    const { keys } = JSON.parse(body) as { keys: string[] }
    server.asked.push(keys)
    const found = keys.flatMap((key) => {
      const entry = own(key)
      return entry === undefined ? [] : [[key, entry] as const]
    })
    return send(response, 200, JSON.stringify(Object.fromEntries(found)))
  }
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
  const server: TableServer = {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}`,
    asked: [],
    entries,
    fault: undefined,
    faultBody: 'broken',
    headers: [],
    close: () => {
      http.closeAllConnections()
      return new Promise((resolve) => http.close(() => resolve()))
    },
  }
  return server
}

function send(response: ServerResponse, status: number, body: string): void {
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(body)
}
