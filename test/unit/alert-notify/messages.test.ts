import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Notification, NotificationKind } from '../../../src/alert/notification.ts'
import type { LinkRequest } from '../../../src/alert/notify/links/link-maker.ts'
import { feishuCard, feishuText } from '../../../src/alert/notify/message/bot-messages.ts'
import { compose, titleOf } from '../../../src/alert/notify/message/compose.ts'
import { fit } from '../../../src/alert/notify/message/fit.ts'
import { clip, type MessageStyle } from '../../../src/alert/notify/message/message-style.ts'
import { textLines, whole } from '../../../src/alert/notify/message/plain-text.ts'
import { sparkline } from '../../../src/alert/notify/message/sparkline.ts'
import { roughly, TimeText } from '../../../src/alert/notify/message/time-text.ts'
import { wordsOf } from '../../../src/alert/notify/message/words.ts'
import { parseTemplate, renderTemplate, type Template } from '../../../src/core/template.ts'
import { durationMs, epochMs } from '../../../src/core/time.ts'
import { messageOf, plainStyle } from '../../support/message-style.ts'
import { fact, notification } from '../../support/notifications.ts'

const now = Date.UTC(2026, 10, 20, 7, 1, 20)

const linesOf = (one: Notification, style: MessageStyle = plainStyle): string[] => {
  const composed = compose(messageOf([one]), style, now)
  return [composed.title, ...textLines(composed, style.words, whole(composed))]
}

const template = (text: string): Template => {
  const parsed = parseTemplate(text)
  if ('problem' in parsed) throw new Error(parsed.problem)
  return parsed
}

test('a message says what is zero, since when, the numbers of now, yesterday and last week, and what the verdict rests on', () => {
  assert.deepEqual(linesOf(notification()), [
    '[CRIT] really zero: login.count (product=loan)',
    'login-zero: login.count (product=loan)',
    'this window 0 · yesterday 1,234 · last week 1,190',
    'really zero · 2026-11-20 14:00–15:00 (Asia/Shanghai)',
    '0 < 1',
    '█▇·█▁',
    '',
    'Evidence:',
    'events 0, after deduplication 0',
    'orders · watermark 2026-11-20 15:00, 1m old · lag 12 records over 1 partitions · 12.5 records/s',
    '',
    'inc-1',
    'lending · n-1',
  ])
})

test('a zero that the store does not have is told, and that the dashboard can’t show it', () => {
  const base = fact()
  const one = fact({
    verdict: { value: 'ZERO', delivery: 'unwritten' },
    evidence: {
      ...base.evidence,
      oldestUnwritten: epochMs(Date.UTC(2026, 10, 20, 4)),
      sinkErrors: [{ sink: 'tsdb', error: 'HTTP 500' }],
    },
  })
  const text = linesOf(notification({ alerts: [one] })).join('\n')
  assert.match(text, /really zero/)
  assert.match(text, /The dashboard can't show it: .* since 2026-11-20 12:00\./)
  assert.match(text, /tsdb: HTTP 500/)
})

test('each kind has its title', () => {
  const title = (kind: NotificationKind, overrides: Partial<Notification> = {}) =>
    titleOf(
      notification({ kind, age: durationMs(3 * 3_600_000 + 7_000), ...overrides }),
      plainStyle,
    )
  assert.equal(title('resolved'), '[RESOLVED] login.count (product=loan)')
  assert.equal(title('correction'), '[CORRECTED] login.count (product=loan)')
  assert.equal(title('cannot-judge'), '[CANNOT JUDGE] really zero: login.count (product=loan)')
  assert.equal(title('repeat'), '[CRIT · STILL] really zero: login.count (product=loan) (for 3h)')
  assert.match(title('escalation'), /NOBODY ACKNOWLEDGED.*\(for 3h\)/)
  assert.equal(title('firing', { total: 12 }), '[CRIT] really zero: 12 alerts, login-zero')
  assert.equal(title('watchdog', { step: 7 }), 'Warden lending is alive (heartbeat 7)')
})

test('a correction says what was said and what it is; a recovery how long it took', () => {
  const corrected = fact({ state: 'corrected', correction: { from: 0, to: 1_180 } })
  const text = linesOf(notification({ kind: 'correction', alerts: [corrected] })).join('\n')
  assert.match(text, /late data: was 0, is 1,180/)
  const { startedAt } = fact()
  const resolved = fact({ state: 'resolved', endedAt: epochMs(startedAt + 5_400_000) })
  assert.match(
    linesOf(notification({ kind: 'resolved', alerts: [resolved] })).join('\n'),
    /RESOLVED after 1h30m/,
  )
})

test('a window that was not complete is a gap and no zero, in the numbers and in the bars', () => {
  const one = fact({
    numbers: { now: 0, yesterday: undefined, lastWeek: 3 },
    history: [null, null],
  })
  const text = linesOf(notification({ alerts: [one] })).join('\n')
  assert.match(text, /yesterday not complete/)
  assert.match(text, /··/)
  assert.equal(sparkline([0, 5, 10, null]), '▁▅█·')
  assert.equal(sparkline([-10, 0, 10]), '▁▅█')
  assert.equal(sparkline([0, 0]), '▁▁')
  assert.equal(sparkline([Number.NaN, 1]), '·█')
})

test('samples of late events are in the message', () => {
  const one = fact({
    rule: 'late-events',
    cause: 'PIPELINE',
    metric: '',
    annotations: { samples: 'orders-0@81: 3h late\norders-1@17: 2h late' },
  })
  assert.match(linesOf(notification({ alerts: [one] })).join('\n'), /orders-1@17: 2h late/)
})

test('a message in Chinese has no English words of Warden’s', () => {
  const style = { ...plainStyle, words: wordsOf.zh }
  const text = linesOf(notification(), style).join('\n')
  assert.match(text, /严重.*确实为零/)
  assert.match(text, /昨日 1,234/)
  assert.doesNotMatch(text, /yesterday|watermark|Evidence/)
})

test('a template error never loses an alert: the built-in text stands in, with a note', () => {
  const style = {
    ...plainStyle,
    title: template('{{ tags.chanel }} is down'),
    summary: template('{{ metric }}: {{ numbers.now }}'),
  }
  const lines = linesOf(notification(), style)
  assert.equal(lines[0], '[CRIT] really zero: login.count (product=loan)')
  assert.ok(lines.includes('login: 0'))
  assert.match(lines.join('\n'), /a template could not be used: title: there is no tags.chanel/)
})

test('templates know values and fallbacks, and nothing can run in them', () => {
  const view = (path: string) => (path === 'a.b' ? 'x{{ c }}' : undefined)
  const rendered = (text: string) => renderTemplate(template(text), view)
  assert.deepEqual(rendered('{{a.b}} {{ no | "-" }} {{ no | \'\' }}'), {
    kind: 'text',
    text: 'x{{ c }} - ',
  })
  for (const broken of [
    '{{',
    'a }} b',
    '{{ a b }}',
    '{{ constructor() }}',
    '{{ a | b }}',
    '{{}}',
  ]) {
    assert.ok('problem' in parseTemplate(broken), broken)
  }
  const lines = linesOf(notification(), {
    ...plainStyle,
    title: template('{{ constructor | "no" }}'),
  })
  assert.equal(lines[0], 'no')
})

test('a broken template in a text of a rule is shown as it is', () => {
  const annotations = { summary: '{{ tags.product }} stopped, {{ oops' }
  const text = linesOf(notification({ alerts: [fact({ annotations })] })).join('\n')
  assert.ok(text.includes('{{ tags.product }} stopped, {{ oops'))
  const good = fact({ annotations: { summary: '{{ tags.product }} stopped' } })
  assert.ok(linesOf(notification({ alerts: [good] })).includes('loan stopped'))
})

test('the dashboard’s address is fixed to the window, and no value can change another part of it', () => {
  const dashboard = template(
    'https://g.example.com/d/1?from={{ from }}&to={{ to }}&var-p={{ tags.product }}&var-c={{ tags.channel }}',
  )
  const tags = { product: 'a&to=now#"' }
  const alerts = [fact({ tags })]
  const { buttons } = compose(
    messageOf([notification({ alerts })]),
    { ...plainStyle, dashboard },
    now,
  )
  const { from, to } = fact().dashboard
  assert.equal(
    buttons[0]?.url,
    `https://g.example.com/d/1?from=${from}&to=${to}&var-p=a%26to%3Dnow%23%22&var-c=`,
  )
  const script = fact({
    annotations: { dashboard: 'javascript:alert(1)', runbook: 'javascript:2' },
  })
  const none = compose(messageOf([notification({ alerts: [script] })]), plainStyle, now)
  assert.deepEqual(none.buttons, [])
})

test('buttons: dashboard, runbook, silence for 1 and 8 hours, acknowledge; a recovery has none that act', () => {
  const asked: LinkRequest[] = []
  const links = {
    link: (request: LinkRequest) => `https://w.example.com/${asked.push(request)}`,
    verify: () => ({ problem: '' }),
  }
  const style = { ...plainStyle, links }
  const alerts = [fact({ annotations: { runbook: 'https://wiki.example.com/login' } })]
  const composed = compose(messageOf([notification({ alerts })]), style, now)
  assert.deepEqual(
    composed.buttons.map(({ text }) => text),
    ['Runbook', 'Silence 1 h', 'Silence 8 h', 'Acknowledge'],
  )
  assert.deepEqual(asked[0], {
    action: 'silence',
    labels: { product: 'loan', rule: 'login-zero' },
    forMs: 3_600_000,
    notification: 'n-1',
    expiresAt: now + 86_400_000,
  })
  asked.length = 0
  compose(messageOf([notification({ total: 3 })]), style, now)
  assert.deepEqual(asked[0]?.labels, { rule: 'login-zero', team: 'growth', cause: 'ZERO' })
  const ended = compose(messageOf([notification({ kind: 'resolved', alerts })]), style, now)
  assert.deepEqual(
    ended.buttons.map(({ text }) => text),
    ['Runbook'],
  )
})

test('rather all alerts in short than a few in full, and rather fewer than a message that is too large', () => {
  const alerts = Array.from({ length: 50 }, (_, i) => fact({ rule: `rule-${i}-` }))
  const composed = compose(messageOf([notification({ alerts })]), plainStyle, now)
  const render = (one: typeof composed, extent: Parameters<typeof feishuCard>[2]) =>
    feishuCard(one, wordsOf.en, extent, [])
  const all = fit(composed, 19_800, render)
  assert.equal(all.hidden, 0)
  const few = fit(composed, 3_000, render)
  assert.ok(few.hidden > 0 && new TextEncoder().encode(few.body).length <= 3_000)
  assert.match(few.body, new RegExp(`and ${few.hidden} more`))
  assert.ok(fit(composed, 10, render).body.length > 10, 'there is always a body')
})

test('texts are cut between characters', () => {
  assert.equal(clip('ab😀cd', 4), 'ab…')
  assert.equal(clip('abcd', 4), 'abcd')
  assert.equal(clip('abcde', 4), 'abc…')
})

test('times are those of the zone, over a day’s end and over the change of the clocks', () => {
  const berlin = new TimeText('Europe/Berlin')
  assert.equal(
    berlin.window(Date.UTC(2026, 9, 25, 0), Date.UTC(2026, 9, 25, 2)),
    '2026-10-25 02:00–03:00 (Europe/Berlin)',
  )
  assert.equal(
    berlin.window(Date.UTC(2026, 0, 1, 22), Date.UTC(2026, 0, 1, 23)),
    '2026-01-01 23:00–2026-01-02 00:00 (Europe/Berlin)',
  )
  assert.equal(roughly(93_784_000), '1d2h')
  assert.equal(roughly(59_999), '59s')
})

test('a digest names every message in a line', () => {
  const all = [notification(), notification({ id: 'n-2', kind: 'resolved' })]
  const composed = compose(messageOf(all, { mayBeRepeat: true, dropped: 4 }), plainStyle, now)
  const body = feishuText(composed, wordsOf.en, whole(composed), [])
  assert.match(body, /2 messages/)
  assert.match(body, /\[CRIT\] really zero.*n-1/)
  assert.match(body, /\[RESOLVED\].*n-2/)
  assert.match(body, /may be a repeat/)
  assert.match(body, /4 older messages were given up/)
  assert.equal(composed.tone, 'mixed')
})
