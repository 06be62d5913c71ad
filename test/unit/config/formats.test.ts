import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import {
  formatBytes,
  parseBytes,
  parseListen,
  textFormats,
} from '../../../src/config/read/formats.ts'
import { formatInstant, parseInstant } from '../../../src/config/read/instants.ts'
import { nearest } from '../../../src/config/read/suggest.ts'
import { epochMs } from '../../../src/core/time.ts'

describe('texts of a config', () => {
  it('reads sizes, decimal and binary', () => {
    assert.deepEqual(
      ['1MiB', '1.5KiB', '500MB', '64 KiB', '7B', '1GiB'].map(parseBytes),
      [1_048_576, 1_536, 500_000_000, 65_536, 7, 1_073_741_824],
    )
    assert.deepEqual(
      ['1', '1mib', '-1B', 'MiB', '9999999TiB'].map(parseBytes),
      Array(5).fill(undefined),
    )
    assert.deepEqual([512, 1_536, 1_048_576].map(formatBytes), ['512B', '1.5KiB', '1MiB'])
  })

  it('reads addresses of both families', () => {
    assert.deepEqual(parseListen('localhost:0'), { host: 'localhost', port: 0 })
    assert.deepEqual(parseListen('[::1]:4280'), { host: '::1', port: 4280 })
    for (const text of ['::1:4280', '4280', ':4280', 'a:70000', 'a b:1']) {
      assert.equal(parseListen(text), undefined, text)
    }
  })

  it('agrees with Date on every instant', () => {
    const instant = fc.integer({ min: Date.UTC(0), max: Date.UTC(9999, 11, 31) })
    fc.assert(
      fc.property(instant, (at) => {
        const iso = new Date(at).toISOString()
        assert.equal(parseInstant(iso), at)
        assert.equal(formatInstant(epochMs(at)), iso.replace('.000Z', 'Z'))
      }),
    )
  })

  it('reads offsets and refuses dates that do not exist', () => {
    assert.equal(parseInstant('2026-11-20T08:00:00+08:00'), Date.UTC(2026, 10, 20))
    assert.equal(parseInstant('2024-02-29T00:00Z'), Date.UTC(2024, 1, 29))
    for (const text of [
      '2026-02-29T00:00:00Z',
      '2026-13-01T00:00:00Z',
      '2026-01-01T24:00:00Z',
      '2026-01-01T00:00:00',
      '2026-01-01',
    ]) {
      assert.equal(parseInstant(text), undefined, text)
    }
  })

  it('has a pattern for editors that takes what the reader takes', () => {
    const samples = {
      duration: ['20s', '1h30m', '0.5s', '20', '-1s', '1 s'],
      bytes: ['1MiB', '64 KiB', '1', '1mib'],
      percentage: ['5%', '0.1%', '5', '-1%'],
      instant: ['2026-11-20T00:00:00Z', '2026-11-20'],
      name: ['loan', 'loan.rate-1', '1loan', 'loan rate', ''],
      'tag-name': ['biz/line', 'biz line'],
      prefix: ['', 'warden.', 'a b'],
      url: ['http://tsdb:4242', 'https://tsdb/x', 'tsdb:4242', 'ftp://x'],
    } as const
    for (const [name, texts] of Object.entries(samples)) {
      const format = textFormats[name as keyof typeof samples]
      for (const text of texts) {
        const read = format.read(text, (path) => path).kind === 'ok'
        assert.equal(new RegExp(format.pattern ?? '').test(text), read, `${name} ${text}`)
      }
    }
  })
})

describe('a suggestion', () => {
  it('finds the word that was meant, and none for a word that is far', () => {
    const known = ['window', 'where', 'dedup', 'dimensions']
    assert.equal(nearest('windwo', known), 'window')
    assert.equal(nearest('Dimension', known), 'dimensions')
    assert.equal(nearest('checkpoint', known), undefined)
  })
})
