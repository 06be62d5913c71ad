import type { LoadSpec } from './load-spec.ts'
import { channels, dimensionsOf, type LoanEvent } from './loan-events.ts'

const cities = ['Hangzhou', 'Shanghai', 'Beijing', 'Shenzhen']

/** Documents shorter than this have the fields that the job reads, and no others. */
const wholeBytes = 300

/** Writes events as the JSON that an order service sends. */
export class LoanDocuments {
  readonly #dimensions: readonly string[]
  readonly #isShort: boolean
  readonly #tail: string

  constructor(spec: LoadSpec) {
    this.#isShort = spec.bytes > 0 && spec.bytes < wholeBytes
    this.#dimensions = Array.from({ length: spec.series }, (_, series) => {
      const [bizLine, product] = dimensionsOf(spec, series)
      return `,"event":"loan","bizLine":"${bizLine}","product":"${product}","userId":"u`
    })
    const extra = Array.from({ length: spec.extraFields }, (_, i) => `,"f${i + 1}":${i + 0.5}`)
    const tail = (message: string) => `,"message":"${message}"${extra.join('')},"ok":true}`
    const message = this.#isShort ? '' : 'accepted by gateway'
    this.#tail = tail(message)
    if (spec.bytes > 0) {
      const some = { index: 1, eventTime: 1e12, user: 1, series: 0, channel: 0, isSuccess: true }
      const other = this.text({ ...some, partition: 0, timestamp: 0 })
      this.#tail = tail(message.padEnd(message.length + spec.bytes - other.length, '.'))
    }
  }

  text(event: LoanEvent): string {
    const { index } = event
    if (this.#isShort) return this.#shortText(event)
    const trace = 1_000_000_000_000_000 + index * 1_000_003
    const status = event.isSuccess ? 'success' : 'fail'
    const amount = `${index % 10_000}.${10 + (index % 90)}`
    const city = cities[(index >> 2) & 3]
    const dimensions = this.#dimensions[event.series]
    return `{"traceId":"${trace}","eventTime":${event.eventTime}${dimensions}${1_000_000_000 + event.user}","status":"${status}","amount":${amount},"currency":"CNY","city":"${city}","channel":"${channels[event.channel]}","client":{"os":"android","version":"13.4.1"},"termMonths":${6 + (index % 31)}${this.#tail}`
  }

  #shortText(event: LoanEvent): string {
    const { index } = event
    const status = event.isSuccess ? 'success' : 'fail'
    return `{"eventTime":${event.eventTime}${this.#dimensions[event.series]}${1_000_000_000 + event.user}","status":"${status}","amount":${index % 10_000}.${10 + (index % 90)},"channel":"${channels[event.channel]}"${this.#tail}`
  }
}
