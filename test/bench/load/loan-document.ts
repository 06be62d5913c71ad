import type { LoadSpec } from './load-spec.ts'
import { channels, dimensionsOf, type LoanEvent } from './loan-events.ts'

const cities = ['Hangzhou', 'Shanghai', 'Beijing', 'Shenzhen']

/** Writes events as the JSON that an order service sends. */
export class LoanDocuments {
  readonly #dimensions: readonly string[]
  readonly #tail: string

  constructor(spec: LoadSpec) {
    this.#dimensions = Array.from({ length: spec.series }, (_, series) => {
      const [bizLine, product] = dimensionsOf(spec, series)
      return `,"event":"loan","bizLine":"${bizLine}","product":"${product}","userId":"u`
    })
    const extra = Array.from({ length: spec.extraFields }, (_, i) => `,"f${i + 1}":${i + 0.5}`)
    const tail = (message: string) => `,"message":"${message}"${extra.join('')},"ok":true}`
    const message = 'accepted by gateway'
    this.#tail = tail(message)
    if (spec.bytes > 0) {
      const other = this.text({ index: 1, eventTime: 1e12, series: 0, channel: 0 } as LoanEvent)
      this.#tail = tail(message.padEnd(message.length + spec.bytes - other.length, '.'))
    }
  }

  text(event: LoanEvent): string {
    const { index } = event
    const trace = 1_000_000_000_000_000 + index * 1_000_003
    const status = event.isSuccess ? 'success' : 'fail'
    const amount = `${index % 10_000}.${10 + (index % 90)}`
    const city = cities[(index >> 2) & 3]
    const dimensions = this.#dimensions[event.series]
    return `{"traceId":"${trace}","eventTime":${event.eventTime}${dimensions}${1_000_000_000 + event.user}","status":"${status}","amount":${amount},"currency":"CNY","city":"${city}","channel":"${channels[event.channel]}","client":{"os":"android","version":"13.4.1"},"termMonths":${6 + (index % 31)}${this.#tail}`
  }
}
