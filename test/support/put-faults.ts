import type { ServerResponse } from 'node:http'
import type { FakeOpentsdb, PutAnswer, PutPoint, PutRequest, StorePoints } from './fake-opentsdb.ts'

/** A way in which an OpenTSDB misbehaves. */
export interface PutFault {
  readonly name: string
  /** What it does to a request while it misbehaves; `nth` counts them from 0. Undefined: it works. */
  answer?(request: PutRequest, nth: number): PutAnswer | undefined
  /** Done once, when it begins and when it ends. */
  begin?(server: FakeOpentsdb): Promise<void> | void
  end?(server: FakeOpentsdb): Promise<void> | void
  /** It lies: only reading back shows that. */
  readonly lies?: true
  /** It never ends, and the store takes these points never: they are dead letters. */
  readonly refuses?: (point: PutPoint) => boolean
}

/** An answer of a store that works, to all of the points. */
const good = (points: readonly PutPoint[]) =>
  JSON.stringify({ success: points.length, failed: 0, timeouts: 0, errors: [] })

const custom = (
  run: (response: ServerResponse, store: StorePoints, points: readonly PutPoint[]) => void,
): PutAnswer => ({ kind: 'custom', run })

const plain = (status: number, body: string, headers: Record<string, string> = {}): PutAnswer => ({
  kind: 'answer',
  status,
  body,
  headers,
})

const error = (status: number, message: string) =>
  plain(status, JSON.stringify({ error: { code: status, message, trace: 'java.lang.…' } }))

const everyThird = ({ tags }: PutPoint): boolean => Number(tags.series) % 3 === 0
/** Longer than the client waits. */
const lateMs = 200

export const putFaults: readonly PutFault[] = [
  { name: 'hangs before the headers, nothing stored', answer: () => custom(() => {}) },
  { name: 'hangs before the headers, all stored', answer: () => ({ kind: 'hang' }) },
  {
    name: 'hangs before the headers, stored after the client gave up',
    answer: () => custom((_, store) => store(lateMs)),
  },
  {
    name: 'hangs in the body, nothing stored',
    answer: () =>
      custom((response) => {
        response.writeHead(200, { 'Content-Length': '500' })
        response.write('{"success":')
      }),
  },
  {
    name: 'hangs in the body, stored later',
    answer: () =>
      custom((response, store) => {
        response.writeHead(200, { 'Content-Length': '500' })
        response.write('{"success":')
        store(lateMs)
      }),
  },
  { name: 'trickles its answer for ever, all stored', answer: () => ({ kind: 'slow-body' }) },
  {
    name: 'trickles its answer, slowly but to the end',
    answer: () =>
      custom((response, store, points) => {
        store()
        const text = good(points)
        response.writeHead(200)
        response.write(text.slice(0, 5))
        setTimeout(() => response.end(text.slice(5)), 40)
      }),
  },
  { name: 'resets the connection after reading', answer: () => ({ kind: 'reset' }) },
  {
    name: 'resets the connection after storing',
    answer: () =>
      custom((response, store) => {
        store()
        response.socket?.resetAndDestroy()
      }),
  },
  {
    name: 'resets the connection in the answer',
    answer: () =>
      custom((response, store) => {
        store()
        response.writeHead(200, { 'Content-Length': '500' })
        response.write('{"success":', () => response.socket?.resetAndDestroy())
      }),
  },
  {
    name: 'closes the connection after every answer without saying so',
    answer: () =>
      custom((response, store, points) => {
        store()
        response.end(good(points), () => setImmediate(() => response.socket?.destroy()))
      }),
  },
  {
    name: 'cuts off bodies above a size (like a 413)',
    begin: (server) => {
      server.maxBodyBytes = 4_100
    },
    end: (server) => {
      server.maxBodyBytes = Number.POSITIVE_INFINITY
    },
  },
  {
    name: 'answers 413 to more than ten points',
    answer: ({ points }) => (points.length > 10 ? plain(413, 'too large') : undefined),
  },
  {
    name: 'is not there (connection refused)',
    begin: (server) => server.goAway(),
    end: (server) => server.comeBack(),
  },
  { name: '204, and stores nothing', lies: true, answer: () => plain(204, '') },
  {
    name: '204, and stores a part',
    lies: true,
    answer: () =>
      custom((response, store) => {
        store(0, everyThird)
        response.writeHead(204).end()
      }),
  },
  {
    name: '200 with success for all, and stores nothing',
    lies: true,
    answer: () => custom((response, _, points) => response.end(good(points))),
  },
  {
    name: '200 with failed > 0: nothing stored',
    answer: () => ({ kind: 'put', fault: () => 'Storage exception: Too many attempts' }),
  },
  {
    name: '200 with failed > 0: a part stored',
    answer: () => ({
      kind: 'put',
      fault: (point) => (everyThird(point) ? 'Please throttle' : undefined),
    }),
  },
  {
    name: '200 with failed > 0, written all the same, late',
    answer: () =>
      custom((response, store, points) => {
        store(lateMs)
        const errors = points.map((datapoint) => ({ datapoint, error: 'Storage exception: …' }))
        response.end(JSON.stringify({ success: 0, failed: points.length, errors }))
      }),
  },
  {
    name: '200 with counts that do not add up',
    answer: () => custom((response, _, points) => response.end(good(points.slice(1)))),
  },
  {
    name: '200 with errors about points that were not sent',
    answer: () =>
      custom((response, store, points) => {
        store(0, (point) => !everyThird(point))
        const datapoint = { metric: 'other', timestamp: 1, value: '1.0', tags: { a: 'b' } }
        const errors = [{ datapoint, error: 'Please throttle' }]
        response.end(JSON.stringify({ success: points.length - 1, failed: 1, errors }))
      }),
  },
  {
    name: '400, a part timed out and written late',
    answer: () =>
      custom((response, store, points) => {
        store(0, (point) => !everyThird(point))
        store(lateMs, everyThird)
        const late = points.filter(everyThird)
        const errors = late.map((datapoint) => ({ datapoint, error: 'Write timedout' }))
        const success = points.length - late.length
        response.writeHead(400)
        response.end(JSON.stringify({ success, failed: 0, timeouts: late.length, errors }))
      }),
  },
  {
    name: '400 without details, a part stored',
    answer: () =>
      custom((response, store) => {
        store(0, everyThird)
        const message = 'One or more data points had errors'
        response.writeHead(400).end(JSON.stringify({ error: { code: 400, message } }))
      }),
  },
  {
    name: '400 timed out as a whole, all written late',
    answer: () =>
      custom((response, store, points) => {
        store(lateMs)
        const message = `The put call has timedout with 0 successful writes, 0 failed writes and ${points.length} timed out writes.`
        response.writeHead(400).end(JSON.stringify({ error: { code: 400, message } }))
      }),
  },
  {
    name: '400 to a batch with one poisoned point, for ever',
    refuses: ({ tags }) => tags.series === '17',
    answer: ({ points }) =>
      points.some(({ tags }) => tags.series === '17')
        ? error(400, 'Unable to parse the given JSON')
        : undefined,
  },
  {
    name: '400 with one point refused, for ever',
    refuses: ({ tags }) => tags.series === '17',
    answer: () => ({
      kind: 'put',
      fault: ({ tags }) => (tags.series === '17' ? 'Unable to parse value to a number' : undefined),
    }),
  },
  { name: '401', answer: () => plain(401, '') },
  { name: '302 to a log-in page', answer: () => plain(302, '', { Location: '/login' }) },
  { name: '404 in HTML', answer: () => plain(404, '<html>not found</html>') },
  { name: '429 with Retry-After', answer: () => plain(429, '', { 'Retry-After': '0.15' }) },
  { name: '503 with Retry-After', answer: () => plain(503, 'busy', { 'Retry-After': '0.15' }) },
  { name: '500 storm', answer: () => error(500, 'oops') },
  {
    name: '500, all stored',
    answer: () =>
      custom((response, store) => {
        store()
        response.writeHead(500).end('oops')
      }),
  },
  {
    name: '502 of a proxy, stored late',
    answer: () =>
      custom((response, store) => {
        store(lateMs)
        response.writeHead(502).end('<html>bad gateway</html>')
      }),
  },
  { name: '200 with half a JSON document', answer: () => plain(200, '{"success":2,"fai') },
  { name: '200 in HTML', answer: () => plain(200, '<html>welcome</html>') },
  { name: '200 without a body', answer: () => plain(200, '') },
  {
    name: 'answers what is not HTTP',
    answer: () => custom((response) => response.socket?.end('ERR unknown command\r\n\r\n')),
  },
  {
    name: 'flaps: every second request is reset',
    answer: (_, nth) => (nth % 2 === 0 ? { kind: 'reset' } : undefined),
  },
  {
    name: 'flaps: works, hangs and is stored late, answers 500, in turn',
    answer: (_, nth) =>
      [undefined, custom((_response, store) => store(lateMs)), error(500, 'oops')][nth % 3],
  },
]
