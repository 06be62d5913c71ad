/** One event of a lending business, before it is written. */
export interface LendingRecord {
  /** When it reaches the stream, epoch ms; fractions order events within a millisecond. */
  readonly arrival: number
  readonly eventTime: number
  readonly event: 'apply' | 'loan' | 'repay'
  readonly success: boolean
  /** Seed of the journey: user, product, channel, amount and city follow from it. */
  readonly journey: number
  /** Tells the events of a journey apart. */
  readonly step: number
  readonly user: string
  readonly order: string
}

/** Mixes two numbers to 32 bits (the finalizer of MurmurHash3). */
export function hash(a: number, b: number): number {
  let h = Math.imul(a ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(b + 0x165667b1, 0xc2b2ae35)
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}

/** Uniform in [0, 1), the same for the same arguments. */
export const chance = (a: number, b: number): number => hash(a, b) / 2 ** 32

interface Product {
  readonly line: string
  readonly name: string
  /** Chance that the first attempt fails. */
  readonly failing: number
  readonly amount: number
}

/** Weighted by the number of times that a product is named here. */
const products: readonly Product[] = [
  { line: 'cash-loan', name: 'cl-3m', failing: 0.44, amount: 5_000 },
  { line: 'cash-loan', name: 'cl-6m', failing: 0.4, amount: 12_000 },
  { line: 'cash-loan', name: 'cl-6m', failing: 0.4, amount: 12_000 },
  { line: 'cash-loan', name: 'cl-12m', failing: 0.47, amount: 24_000 },
  { line: 'consumer-loan', name: 'phone', failing: 0.31, amount: 6_000 },
  { line: 'consumer-loan', name: 'travel', failing: 0.36, amount: 9_000 },
  { line: 'consumer-loan', name: 'education', failing: 0.28, amount: 18_000 },
  { line: 'credit-card', name: 'gold', failing: 0.52, amount: 30_000 },
  { line: 'credit-card', name: 'platinum', failing: 0.61, amount: 80_000 },
  { line: 'auto-loan', name: 'new-car', failing: 0.38, amount: 150_000 },
]
const channels = ['app', 'app', 'app', 'app', 'h5', 'h5', 'mini-program', 'mini-program', 'api']
const cities = ['上海', '北京', '深圳', '广州', '杭州', '成都', '武汉', '西安', '南京', '重庆']
const failReasons = [
  'CREDIT_SCORE_LOW:信用评分不足',
  'FACE_MISMATCH:人脸识别未通过',
  'BANK_CARD_INVALID:银行卡校验失败',
  'TIMEOUT:渠道超时，请稍后重试',
  'QUOTA_EXCEEDED:额度不足',
]

const salt = { product: 11, channel: 12, city: 13, amount: 14, reason: 15, trace: 16, version: 17 }

const pick = <T>(from: readonly T[], journey: number, by: number): T =>
  from[hash(journey, by) % from.length] as T

/** Chance that the first attempt of a journey fails. */
export const failingOf = (journey: number): number => pick(products, journey, salt.product).failing

const hex = (a: number, b: number): string => hash(a, b).toString(16).padStart(8, '0')

/** The event as one JSON document of about 300 bytes. */
export function lendingJson(record: LendingRecord): string {
  const { journey, step } = record
  const product = pick(products, journey, salt.product)
  const amount =
    Math.round((product.amount * (0.4 + 1.2 * chance(journey, salt.amount))) / 100) * 100
  const reason = record.success ? '' : pick(failReasons, hash(journey, step), salt.reason)
  const trace = `${hex(journey, step)}${hex(step, journey)}${hex(journey, salt.trace + step * 64)}`
  return (
    `{"eventTime":${record.eventTime},"event":"${record.event}","status":"${record.success ? 'success' : 'fail'}",` +
    `"userId":"${record.user}","bizLine":"${product.line}","product":"${product.name}",` +
    `"channel":"${pick(channels, journey, salt.channel)}","amount":${amount},"orderId":"${record.order}",` +
    `"failReason":"${reason}","city":"${pick(cities, journey, salt.city)}",` +
    `"traceId":"${trace}","appVersion":"7.${hash(journey, salt.version) % 20}.1"}`
  )
}

/** What a careless producer makes of the event: broken JSON, missing fields, bogus times. */
export function spoiled(record: LendingRecord, kind: number): string {
  const json = lendingJson(record)
  const time = `"eventTime":${record.eventTime}`
  switch (kind % 10) {
    case 0:
      return json.slice(0, 40 + (kind % 100))
    case 1:
      return `ERROR ${record.order} could not serialise event`
    case 2:
      return json.replace(`"userId":"${record.user}",`, '')
    case 3:
      return json.replace(`${time},`, '')
    case 4:
      return json.replace(time, '"eventTime":0')
    case 5:
      return json.replace(time, '"eventTime":-1')
    case 6:
      return json.replace(time, '"eventTime":"yesterday"')
    case 7:
      // The year 2100.
      return json.replace(time, '"eventTime":4102444800000')
    case 8:
      return '{}'
    default:
      return json.replace(/"bizLine":"[^"]*",/, '')
  }
}
