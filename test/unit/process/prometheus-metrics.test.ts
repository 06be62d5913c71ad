import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PrometheusMetrics } from '../../../src/prometheus-metrics.ts'

test('counters, gauges and histograms stand on the page with their labels', async () => {
  const metrics = new PrometheusMetrics({ processMetrics: false })
  metrics.counter('warden_events_total', 'Events read.', ['source']).add(3, { source: 'orders' })
  const lag = metrics.gauge('warden_lag_records', 'Lag.', ['partition'])
  lag.set(7, { partition: '0' })
  lag.set(9, { partition: '1' })
  lag.remove({ partition: '1' })
  metrics.histogram('warden_sink_latency_seconds', 'Latency.', [0.1, 1]).observe(0.5)
  const page = await metrics.exposition()
  assert.match(page, /^warden_events_total\{source="orders"\} 3$/m)
  assert.match(page, /^warden_lag_records\{partition="0"\} 7$/m)
  assert.doesNotMatch(page, /partition="1"/)
  assert.match(page, /^warden_sink_latency_seconds_bucket\{le="1"\} 1$/m)
  assert.match(metrics.contentType, /^text\/plain/)
})

test('asking twice gives the same metric, another kind or other labels are refused', async () => {
  const metrics = new PrometheusMetrics({ processMetrics: false })
  metrics.counter('warden_panes_total', 'Panes.').add(1)
  metrics.counter('warden_panes_total', 'Panes.').add(1)
  assert.match(await metrics.exposition(), /^warden_panes_total 2$/m)
  assert.throws(() => metrics.gauge('warden_panes_total', 'Panes.'), { code: 'internal' })
  assert.throws(() => metrics.counter('warden_panes_total', 'Panes.', ['x']), { code: 'internal' })
})

test('the process shows its CPU, memory and event loop lag; two registries do not meet', async () => {
  const page = await new PrometheusMetrics().exposition()
  for (const name of [
    'process_cpu_seconds_total',
    'process_resident_memory_bytes',
    'nodejs_eventloop_lag_p99_seconds',
  ]) {
    assert.match(page, new RegExp(`^${name} `, 'm'))
  }
  assert.doesNotMatch(await new PrometheusMetrics().exposition(), /warden_/)
})
