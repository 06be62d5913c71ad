/** A request to a store's HTTP API; `path` with its query string. */
export interface StoreRequest {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'DELETE'
  readonly path: string
  /** Sent as JSON, a text or bytes as they are. */
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
}

export interface StoreAnswer {
  readonly status: number
  /** Parsed where it is JSON, else text; undefined when it is empty. */
  readonly body: unknown
}

export async function ask(url: string, request: StoreRequest): Promise<StoreAnswer> {
  const { path, body, headers } = request
  const bytes =
    body === undefined || typeof body === 'string' || body instanceof Uint8Array
      ? body
      : JSON.stringify(body)
  const response = await fetch(new URL(path, url), {
    method: request.method ?? (body === undefined ? 'GET' : 'POST'),
    headers: { 'content-type': 'application/json', ...headers },
    ...(bytes === undefined ? {} : { body: bytes }),
  })
  const text = await response.text()
  return { status: response.status, body: parsed(text) }
}

function parsed(text: string): unknown {
  if (text === '') return undefined
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
