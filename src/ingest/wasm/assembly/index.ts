/** What the host calls: `make…` once, to say what the config reads; then `begin` and `records` or `lines` for each batch. */
import { alloc } from './bytes'
import { makeCombination, makeFieldCondition, makeLiteral, makePart, makeText } from './conditions'
import { begin, makeEvent, offsets, progressAt, times } from './events'
import { CAPACITY, columnOf, makeDimension, makeMetric, makeMetrics, makeValue } from './metrics'
import { makeEntry, makeNode, makeReset, makeSlots } from './paths'
import { lines, records } from './records'
import { makeSymbols, multipliers, textLengthOf, textOf } from './symbols'
import { root } from './walk'

export {
  alloc,
  begin,
  CAPACITY as capacity,
  columnOf,
  lines,
  makeCombination,
  makeDimension,
  makeEntry,
  makeEvent,
  makeFieldCondition,
  makeLiteral,
  makeMetric,
  makeMetrics,
  makeNode,
  makePart,
  makeReset,
  makeSlots,
  makeSymbols,
  makeText,
  makeValue,
  multipliers,
  offsets,
  progressAt,
  records,
  root,
  textLengthOf,
  textOf,
  times,
}
