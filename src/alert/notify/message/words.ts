import type { AlertCause, NotificationKind, Severity } from '../../notification.ts'

export type Language = 'en' | 'zh'

/** The words of a message. Names, reasons and errors stay as they are. */
export interface Words {
  readonly severity: Readonly<Record<Severity, string>>
  readonly kind: Readonly<Record<NotificationKind, string>>
  readonly cause: Readonly<Record<AlertCause, string>>
  readonly now: string
  readonly yesterday: string
  readonly lastWeek: string
  readonly unknownNumber: string
  readonly alerts: (count: number) => string
  readonly messages: (count: number) => string
  readonly more: (count: number) => string
  readonly dropped: (count: number) => string
  readonly mayBeRepeat: string
  readonly after: (age: string) => string
  readonly since: (age: string) => string
  readonly alive: (job: string, beat: number) => string
  readonly aliveText: string
  readonly correction: (from: string, to: string) => string
  readonly acknowledgedBy: (who: string) => string
  readonly series: (count: number) => string
  readonly evidence: string
  readonly events: (events: string, kept: string) => string
  readonly watermark: (at: string, age: string) => string
  readonly noWatermark: string
  readonly lag: (lag: string, partitions: number) => string
  readonly unknownLag: string
  readonly rate: (perSecond: string) => string
  readonly unwritten: (since: string) => string
  readonly idle: string
  readonly dashboard: string
  readonly runbook: string
  readonly silence: (hours: number) => string
  readonly acknowledge: string
  readonly notJudged: string
  readonly templateTrouble: (problem: string) => string
}

const en: Words = {
  severity: { info: 'INFO', warn: 'WARN', crit: 'CRIT' },
  kind: {
    firing: '',
    resolved: 'RESOLVED',
    correction: 'CORRECTED',
    'cannot-judge': 'CANNOT JUDGE',
    repeat: 'STILL',
    escalation: 'NOBODY ACKNOWLEDGED',
    digest: 'DIGEST',
    watchdog: 'HEARTBEAT',
  },
  cause: {
    UNKNOWN: 'records are missing',
    LATE: 'data is late',
    SOURCE_SILENT: 'the source is silent',
    ZERO: 'really zero',
    SINK_FAILING: 'the store takes nothing',
    INSUFFICIENT: 'too few events',
    DEPENDENCY: 'held by another alert',
    THRESHOLD: 'beyond its bound',
    CHANGE: 'changed',
    BASELINE: 'unusual',
    NEW_SERIES: 'new series',
    MISSING_SERIES: 'missing series',
    COMPOSITE: 'several conditions',
    PIPELINE: 'the pipeline',
  },
  now: 'this window',
  yesterday: 'yesterday',
  lastWeek: 'last week',
  unknownNumber: 'not complete',
  alerts: (count) => `${count} alerts`,
  messages: (count) => `${count} messages`,
  more: (count) => `and ${count} more`,
  dropped: (count) => `${count} older messages were given up: too many waited`,
  mayBeRepeat: 'may be a repeat: an earlier attempt got no answer',
  after: (age) => `after ${age}`,
  since: (age) => `for ${age}`,
  alive: (job, beat) => `Warden ${job} is alive (heartbeat ${beat})`,
  aliveText: 'This way for alerts works. When the next heartbeat stays away, look after Warden.',
  correction: (from, to) => `late data: was ${from}, is ${to}`,
  acknowledgedBy: (who) => `acknowledged by ${who}`,
  series: (count) => `${count} series`,
  evidence: 'Evidence',
  events: (events, kept) => `events ${events}, after deduplication ${kept}`,
  watermark: (at, age) => `watermark ${at}, ${age} old`,
  noWatermark: 'no watermark yet',
  lag: (lag, partitions) => `lag ${lag} records over ${partitions} partitions`,
  unknownLag: 'lag unknown',
  rate: (perSecond) => `${perSecond} records/s`,
  unwritten: (since) =>
    `The dashboard can't show it: the store has not taken the points since ${since}.`,
  idle: 'idle',
  dashboard: 'Dashboard',
  runbook: 'Runbook',
  silence: (hours) => `Silence ${hours} h`,
  acknowledge: 'Acknowledge',
  notJudged: 'not judged',
  templateTrouble: (problem) => `a template could not be used: ${problem}`,
}

const zh: Words = {
  severity: { info: '提示', warn: '警告', crit: '严重' },
  kind: {
    firing: '',
    resolved: '已恢复',
    correction: '更正',
    'cannot-judge': '无法判断',
    repeat: '仍在告警',
    escalation: '无人确认',
    digest: '汇总',
    watchdog: '心跳',
  },
  cause: {
    UNKNOWN: '数据缺失',
    LATE: '数据延迟',
    SOURCE_SILENT: '数据源静默',
    ZERO: '确实为零',
    SINK_FAILING: '存储写入失败',
    INSUFFICIENT: '事件太少',
    DEPENDENCY: '被其他告警抑制',
    THRESHOLD: '超出阈值',
    CHANGE: '同比异常',
    BASELINE: '偏离基线',
    NEW_SERIES: '新序列',
    MISSING_SERIES: '序列消失',
    COMPOSITE: '组合条件',
    PIPELINE: '管道异常',
  },
  now: '本窗口',
  yesterday: '昨日',
  lastWeek: '上周',
  unknownNumber: '不完整',
  alerts: (count) => `${count} 条告警`,
  messages: (count) => `${count} 条消息`,
  more: (count) => `另有 ${count} 条`,
  dropped: (count) => `积压过多，已放弃 ${count} 条较早的消息`,
  mayBeRepeat: '可能重复：上一次发送没有得到应答',
  after: (age) => `持续 ${age}`,
  since: (age) => `已持续 ${age}`,
  alive: (job, beat) => `Warden ${job} 运行正常（心跳 ${beat}）`,
  aliveText: '告警通道可用。若下一次心跳缺失，请检查 Warden。',
  correction: (from, to) => `迟到数据：原为 ${from}，现为 ${to}`,
  acknowledgedBy: (who) => `${who} 已确认`,
  series: (count) => `${count} 个序列`,
  evidence: '依据',
  events: (events, kept) => `事件 ${events}，去重后 ${kept}`,
  watermark: (at, age) => `水位 ${at}，落后 ${age}`,
  noWatermark: '尚无水位',
  lag: (lag, partitions) => `${partitions} 个分区积压 ${lag} 条`,
  unknownLag: '积压未知',
  rate: (perSecond) => `每秒 ${perSecond} 条`,
  unwritten: (since) => `看板无法显示：自 ${since} 起存储未写入数据点。`,
  idle: '空闲',
  dashboard: '看板',
  runbook: '处理手册',
  silence: (hours) => `静默 ${hours} 小时`,
  acknowledge: '确认',
  notJudged: '未判断',
  templateTrouble: (problem) => `模板无法使用：${problem}`,
}

export const wordsOf: Readonly<Record<Language, Words>> = { en, zh }
