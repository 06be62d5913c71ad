import type { Locator, Place } from '../read/locator.ts'
import type { WatermarkDocument } from '../schema.ts'

/** @param source where the source stands */
export function checkWatermark(
  source: Place,
  { strategy, mark }: WatermarkDocument,
  locator: Locator,
): void {
  const at: Place = [...source, 'watermark']
  if (strategy === 'bounded') {
    if (!locator.has([...at, 'mark'])) return
    const what = 'event times move a bounded watermark, not records'
    locator.key([...at, 'mark'], what, 'add strategy: punctuated, or leave mark out')
    return
  }
  if (mark === undefined) {
    if (locator.has([...at, 'mark'])) return
    const right = 'add mark: { where: CONDITION, time: FIELD }'
    locator.value([...at, 'strategy'], 'it is not said which records say the watermark', right)
  } else if ('format' in mark.time && mark.time.format !== 'record' && !mark.time.path) {
    const right = 'add path: <field>, or write format: record'
    locator.key([...at, 'mark', 'time'], `${mark.time.format} needs the path of a field`, right)
  }
  if (locator.has([...at, 'outOfOrderness'])) {
    const what = 'records say how far event time is, disorder included'
    locator.key([...at, 'outOfOrderness'], what, 'leave it out')
  }
}
