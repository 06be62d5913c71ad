import type { Config } from '../config/config.ts'
import { WardenError } from '../core/errors.ts'

/**
 * Asks the running job of a config over its HTTP server.
 * @param url where it listens; undefined: where the config says
 * @returns the JSON of its answer
 * @throws WardenError `usage` when nobody answers there or the job refuses, `internal` when it fails
 */
export async function askRunning<T>(
  config: Config,
  url: string | undefined,
  path: string,
): Promise<T> {
  const { host, port } = config.server.listen
  if (url === undefined && port === 0) {
    throw new WardenError(
      'usage',
      'the job listens on any free port: say where, --url http://HOST:PORT',
    )
  }
  const base = url ?? `http://${host.includes(':') ? `[${host}]` : host}:${port}`
  const token = config.server.token?.reveal()
  let answer: Response
  try {
    answer = await fetch(new URL(path, base), {
      method: 'POST',
      headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
    })
  } catch (cause) {
    const text = `no Warden answers at ${base}; start it, or say where it listens: --url http://HOST:PORT`
    throw new WardenError('usage', text, { cause })
  }
  const body = (await answer.json().catch(() => ({}))) as T & { readonly error?: string }
  if (answer.ok) return body
  throw new WardenError(
    answer.status < 500 ? 'usage' : 'internal',
    `${base} answers ${answer.status}: ${body.error ?? ''}`,
  )
}
