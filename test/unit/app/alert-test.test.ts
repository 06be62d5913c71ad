import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { FileAuditLog } from '../../../src/alert/notify/file-audit-log.ts'
import { createNoticeDesk, openNotifying } from '../../../src/app/notifying.ts'
import { cli } from '../../../src/cli.ts'
import { loadConfig } from '../../../src/config/file-config.ts'
import { epochMs } from '../../../src/core/time.ts'
import { MemoryStateStore } from '../../../src/state/memory-state-store.ts'
import { SystemClock } from '../../../src/system-clock.ts'
import { FakeFeishu } from '../../support/fake-feishu.ts'
import { notification } from '../../support/notifications.ts'
import { RecordingLogger } from '../../support/recording-logger.ts'
import { RecordingMetrics } from '../../support/recording-metrics.ts'
import { until } from '../../support/until.ts'

const directory = mkdtempSync(join(tmpdir(), 'warden-alert-test-'))
const fakes: FakeFeishu[] = []
after(async () => {
  for (const fake of fakes) await fake.stop()
  rmSync(directory, { recursive: true, force: true })
})

async function feishu(): Promise<FakeFeishu> {
  const fake = await FakeFeishu.start({ secret: 'key', keyword: 'lending', pressureMs: 0 })
  fakes.push(fake)
  return fake
}

function configFile(rest: string): string {
  const path = join(directory, 'job.yaml')
  writeFileSync(
    path,
    `job: lending
stateDir: ${directory}
sources:
  orders: { type: file, path: ./none.jsonl, event: { time: { path: time, format: epoch-ms } } }
metrics:
  login: { window: { size: 1h } }
receivers:
  ops: { type: feishu, url: '\${BOT}', secret: '\${KEY}', keyword: lending, timezone: Asia/Shanghai }
  hook: { type: webhook, url: '\${HOOK}' }
${rest}`,
  )
  return path
}

const env = (fake: FakeFeishu, key = 'key') => ({
  BOT: fake.url,
  KEY: key,
  HOOK: 'http://127.0.0.1:1/secret-token',
})

async function warden(args: readonly string[], variables: Readonly<Record<string, string>>) {
  let out = ''
  let err = ''
  const code = await cli(args, {
    out: (text) => {
      out += text
    },
    err: (text) => {
      err += text
    },
    env: variables,
    directory,
    stop: new AbortController().signal,
  })
  return { code, out, err }
}

test('warden alert test sends a real message, marked as a test, and tells what each receiver made of it', async () => {
  const fake = await feishu()
  const file = configFile('')
  const one = await warden(['alert', 'test', '-c', file, '--receiver', 'ops'], env(fake))
  assert.deepEqual(one, { code: 0, out: 'ops (feishu): took the message\n', err: '' })
  assert.match(fake.messages[0]?.text ?? '', /A test by `warden alert test`: nothing is wrong/)

  const all = await warden(['alert', 'test', '-c', file], env(fake, 'wrong'))
  assert.equal(all.code, 1)
  assert.match(all.out, /^ops \(feishu\): blocked: code 19021/m)
  assert.match(all.out, /^hook \(webhook\): again: no answer: ECONNREFUSED$/m)
  assert.doesNotMatch(all.out + all.err, /secret-token|the-token/)

  const none = await warden(['alert', 'test', '-c', file, '--receiver', 'opps'], env(fake))
  assert.equal(none.code, 2)
  assert.match(none.err, /no receiver opps; it has: ops, hook/)
  assert.equal((await warden(['alert', 'tset', '-c', file], env(fake))).code, 2)
})

test('from config to chat: a decision that is durable is sent, with buttons that outlive a restart, and audited', async () => {
  const fake = await feishu()
  const rest = `notifications:
  publicUrl: https://w.example.com/
  dashboard: 'https://g.example.com/d?from={{ from }}'
  watchdog: { every: 1d, receivers: [ops] }
`
  const config = loadConfig(configFile(rest), env(fake))
  const store = new MemoryStateStore()
  const telemetry = {
    clock: new SystemClock(),
    logger: new RecordingLogger(),
    metrics: new RecordingMetrics(),
  }
  const parts = await openNotifying(config, store, telemetry)
  const desk = createNoticeDesk(config, store, parts, telemetry)
  desk.start()
  const checkpoint = async (...decided: Parameters<typeof notification>[0][]) => {
    const notifications = decided.map((one) => notification(one))
    await store.commit(desk.collect(notifications, telemetry.clock.now()))
    desk.committed()
  }
  const now = telemetry.clock.now()
  await checkpoint({ decidedAt: now })
  await until('both are sent', async () => {
    if (desk.isDue(telemetry.clock.now())) await checkpoint()
    return desk.isIdle
  })
  await desk.stop()
  await parts.close()

  const text = fake.messages.map((message) => message.text).join('\n')
  assert.match(text, /really zero/)
  assert.match(text, /Warden lending is alive/)
  const [link = ''] =
    /https:\/\/w\.example\.com\/alert-links\/confirm\?token=[\w.-]+/.exec(text) ?? []
  const again = await openNotifying(config, store, telemetry)
  const verified = again.links?.verify(new URL(link).searchParams.get('token') ?? '', now)
  assert.ok(verified !== undefined && 'labels' in verified)
  await again.close()

  const lines = readFileSync(join(directory, 'audit.jsonl'), 'utf8').trim().split('\n')
  const events = lines.map((line) => JSON.parse(line) as { event: string; time: string })
  assert.deepEqual(
    events.map(({ event }) => event),
    ['decided', 'sent', 'sent'],
  )
  assert.ok(events.every(({ time }) => /^\d{4}-\d\d-\d\dT/.test(time)))
  assert.equal(statSync(join(directory, 'audit.jsonl')).mode & 0o077, 0, 'for its owner alone')
})

test('an audit log that can’t be written is said aloud, and stops nothing', async () => {
  const logger = new RecordingLogger()
  const metrics = new RecordingMetrics()
  const audit = new FileAuditLog(join(directory, 'none', 'audit.jsonl'), logger, metrics)
  audit.append({ at: epochMs(0), event: 'decided', notification: notification() })
  await audit.close()
  assert.equal(metrics.value('warden_audit_failures_total'), 1)
  assert.match(logger.messages('error').join(), /can’t be written/)
})
