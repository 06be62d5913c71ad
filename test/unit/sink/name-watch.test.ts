import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { NameWatch } from '../../../src/sink/name-watch.ts'
import { encodeName, isCut } from '../../../src/sink/point-names.ts'
import { RecordingLogger } from '../../support/recording-logger.ts'
import { RecordingMetrics } from '../../support/recording-metrics.ts'

const point = (value: string) => ({
  metric: 'warden.loan.count',
  tags: { product: encodeName(value) },
  timestamp: 1,
  value: 1,
  incarnation: 1,
  revision: 0,
})

describe('NameWatch', () => {
  it('tells of each value that had to be cut, once', () => {
    const logger = new RecordingLogger()
    const metrics = new RecordingMetrics()
    const watch = new NameWatch({ logger, metrics })
    const long = ['x'.repeat(300), '温'.repeat(100)]
    for (let i = 0; i < 3; i++) watch.see([...long, 'short', '温度'].map(point))
    assert.equal(metrics.value('warden_cut_names_total'), 2)
    assert.equal(logger.messages('warn').length, 2)
  })

  it('knows a cut name from one that only looks like it', () => {
    assert.ok(isCut(encodeName('y'.repeat(256))))
    assert.ok(!isCut(encodeName('y'.repeat(255))))
    assert.ok(!isCut(encodeName(`_xh${'0'.repeat(26)}_`)), 'a text like that is escaped')
  })
})
