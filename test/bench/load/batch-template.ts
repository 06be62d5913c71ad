import { crc32c } from '@platformatic/kafka'
import type { LoanDocuments } from './loan-document.ts'
import type { LoanEvent } from './loan-events.ts'
import { RecordBatchWriter } from './record-batch-writer.ts'

/** Placeholders as long as what takes their place. */
const placeholderTime = 1_111_111_111_111
const timeDigits = 13
const userDigits = 10
/** Users are written as this and more. */
export const firstUser = 1_000_000_000

/**
 * A record batch that is sent again and again with another time and other users: several times as fast as writing documents, so
 * that the load leaves the cores to what is measured.
 */
export class BatchTemplate {
  /** Without times and users. */
  readonly events: readonly LoanEvent[]
  readonly #bytes: Buffer
  readonly #times: readonly number[]
  readonly #users: readonly number[]

  constructor(documents: LoanDocuments, events: readonly LoanEvent[]) {
    this.events = events
    const writer = new RecordBatchWriter()
    for (const event of events) {
      writer.add(documents.text({ ...event, eventTime: placeholderTime, user: 0 }), 0)
    }
    this.#bytes = writer.take()
    this.#times = allPlaces(this.#bytes, '"eventTime":')
    this.#users = allPlaces(this.#bytes, '"userId":"u')
  }

  /**
   * @param time event time of all its events and timestamp of the batch, epoch ms
   * @param user of the first event; those of the others follow, to 9 · 10⁹ at most
   */
  batch(time: number, user: number): Buffer {
    const bytes = Buffer.from(this.#bytes)
    bytes.writeBigInt64BE(BigInt(time), 27)
    bytes.writeBigInt64BE(BigInt(time), 35)
    const text = String(time)
    for (const at of this.#times) bytes.write(text, at, timeDigits, 'latin1')
    this.#users.forEach((at, index) => {
      let rest = firstUser + user + index
      for (let digit = userDigits - 1; digit >= 0; digit--) {
        const next = Math.floor(rest / 10)
        bytes[at + digit] = 48 + rest - next * 10
        rest = next
      }
    })
    bytes.writeUInt32BE(crc32c(bytes.subarray(21)), 17)
    return bytes
  }
}

/** Where the text that follows `label` begins, each time it is there. */
function allPlaces(bytes: Buffer, label: string): number[] {
  const places: number[] = []
  for (let at = bytes.indexOf(label); at >= 0; at = bytes.indexOf(label, at + 1)) {
    places.push(at + label.length)
  }
  return places
}
