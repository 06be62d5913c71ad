import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { putVerdict } from '../../../src/sink/put-verdict.ts'
import type { DataPoint } from '../../../src/sink/sink.ts'

const point = (series: number): DataPoint => ({
  metric: 'warden.loan.count',
  tags: { series: String(series), region: 'eu' },
  timestamp: 1_735_689_600,
  value: 5,
  incarnation: 0,
  revision: 0,
})
const points = [point(0), point(1), point(2)]

/** As the TSD echoes it: tags in another order, the value as it was sent. */
const echo = (series: number) => ({
  metric: 'warden.loan.count',
  timestamp: 1_735_689_600,
  value: '5.0',
  tags: { region: 'eu', series: String(series) },
})
const details = (success: number, failed: number, errors: unknown[], timeouts?: number) =>
  JSON.stringify({ success, failed, errors, ...(timeouts === undefined ? {} : { timeouts }) })
const error = (message: string) => JSON.stringify({ error: { code: 400, message, trace: 'java…' } })

/** Answers of OpenTSDB 2.4.1 to three points, and what they mean. */
const table: readonly [string, number, string, string][] = [
  ['204', 204, '', 'written,written,written'],
  ['all stored', 200, details(3, 0, []), 'written,written,written'],
  ['all stored, none timed out', 200, details(3, 0, [], 0), 'written,written,written'],
  [
    'HBase gone: HTTP 200, nothing stored',
    200,
    details(
      0,
      3,
      [0, 1, 2].map((i) => ({ datapoint: echo(i), error: 'Storage exception: Too many attempts' })),
    ),
    'retry?,retry?,retry?',
  ],
  [
    'two timed out, one stored',
    400,
    details(
      1,
      0,
      [2, 0].map((i) => ({ datapoint: echo(i), error: 'Write timedout' })),
      2,
    ),
    'retry?,written,retry?',
  ],
  [
    'one illegal',
    400,
    details(2, 1, [
      { datapoint: echo(1), error: 'Invalid tag value ("a:b"): illegal character: :' },
    ]),
    'written,refused,written',
  ],
  [
    'an unexpected exception',
    400,
    details(2, 1, [{ datapoint: echo(1), error: 'Unexpected exception' }]),
    'written,doubtful,written',
  ],
  ['a null in the array', 400, details(2, 1, [{ datapoint: null, error: 'Missing' }]), 'again?'],
  [
    'errors that are not listed',
    200,
    details(1, 2, [{ datapoint: echo(1), error: 'x' }]),
    'again?',
  ],
  [
    'an error about a point that was not sent',
    400,
    details(2, 1, [{ datapoint: echo(7), error: 'x' }]),
    'again?',
  ],
  ['points that nobody counted', 200, details(2, 0, []), 'again?'],
  [
    'a timeout without details',
    400,
    error(
      'The put call has timedout with 1 successful writes, 0 failed writes and 2 timed out writes.',
    ),
    'again?',
  ],
  ['failures without details', 400, error('One or more data points had errors'), 'again?'],
  ['a point of the wrong JSON type', 400, error('Unable to parse the given JSON'), 'halve'],
  ['another reason to refuse all', 400, error('Something that no version said before'), 'halve'],
  ['too large for a proxy', 413, '<html>', 'halve'],
  ['a 400 from a proxy', 400, '<html>', 'again?'],
  ['500', 500, error('Unexpected exception'), 'again?'],
  ['504 of a proxy', 504, 'timeout', 'again?'],
  ['503', 503, '', 'again'],
  ['429', 429, '', 'again'],
  ['403', 403, '', 'again'],
  ['a login page', 302, '', 'again'],
]

/** `?`: it may have been written. */
function told(status: number, body: string): string {
  const verdict = putVerdict(points, status, body)
  if (verdict.kind !== 'points') {
    return verdict.kind + (verdict.kind === 'again' && verdict.unknown ? '?' : '')
  }
  return verdict.outcomes
    .map((outcome) => outcome.kind + (outcome.kind === 'retry' && outcome.unknown ? '?' : ''))
    .join()
}

describe('putVerdict', () => {
  for (const [name, status, body, expected] of table) {
    it(`reads ${name} as ${expected}`, () => assert.equal(told(status, body), expected))
  }

  it('calls nothing written that the server did not count as stored (complaint 26)', () => {
    const number = fc.integer({ min: -1, max: 4 })
    const errors = fc.array(
      fc.record({ datapoint: fc.integer({ min: 0, max: 3 }).map(echo), error: fc.string() }),
      { maxLength: 4 },
    )
    fc.assert(
      fc.property(
        fc.constantFrom(200, 400),
        number,
        number,
        number,
        errors,
        (status, success, failed, timeouts, list) => {
          const verdict = putVerdict(points, status, details(success, failed, list, timeouts))
          if (verdict.kind !== 'points') return
          const written = verdict.outcomes.filter(({ kind }) => kind === 'written').length
          // A count below 0 is read as none.
          assert.equal(written, Math.max(0, success))
        },
      ),
    )
  })

  it('survives any body', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 100, max: 599 }),
        fc.oneof(fc.string(), fc.json()),
        (status, body) => {
          const verdict = putVerdict(points, status, body)
          assert.ok(verdict.kind !== 'points' || status === 204)
        },
      ),
    )
  })
})
