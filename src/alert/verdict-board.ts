import type { Matchers } from '../core/alert-plan.ts'
import type { JobEvidence } from '../core/evidence.ts'
import type { EpochMs } from '../core/time.ts'
import { type Verdict, type VerdictValue, verdictValues } from '../core/verdict.ts'
import type { MetricHistory } from './history/metric-history.ts'
import { rowFlags, type WindowBlock } from './history/window-block.ts'
import type { SourceSamples } from './judge/source-samples.ts'
import { evidenceOf, judgeWindow, seriesValue, type WindowVerdict } from './judge/verdict.ts'
import { type LabelSet, matches } from './routing/matchers.ts'
import { NoteWriter, type VerdictNote } from './verdict-notes.ts'

/** Which verdicts are asked for. */
export interface VerdictQuery {
  readonly metric: string | undefined
  readonly match: Matchers
  /** Windows that begin at or after it. */
  readonly from: EpochMs
  /** Windows that begin before it. */
  readonly to: EpochMs
  readonly limit: number
}

/** Windows of a metric that are looked at for notes, the newest. */
const notedWindows = 500

/** The verdicts on the due windows, as questions and charts see them. */
export class VerdictBoard {
  readonly #histories: ReadonlyMap<string, MetricHistory>
  readonly #samples: SourceSamples
  readonly #notes = new NoteWriter()

  constructor(histories: ReadonlyMap<string, MetricHistory>, samples: SourceSamples) {
    this.#histories = histories
    this.#samples = samples
  }

  restored(): void {
    for (const history of this.#histories.values()) this.#notes.skip(history)
  }

  /** The newest first. */
  query(query: VerdictQuery, evidence: JobEvidence): readonly Verdict[] {
    const found: Verdict[] = []
    for (const history of this.#histories.values()) {
      if (query.metric !== undefined && query.metric !== history.metric.name) continue
      for (let index = history.blocks.length - 1; index >= 0; index--) {
        const block = history.blocks[index]
        if (block === undefined || block.start >= query.to) continue
        if (block.start < query.from || found.length >= query.limit) break
        if (!isDue(history, block, evidence.now)) continue
        found.push(...this.#ofWindow(history, block, query, evidence).slice(0, query.limit))
      }
    }
    return found.sort((a, b) => b.windowStart - a.windowStart).slice(0, query.limit)
  }

  /** Series of each metric by the verdict on its newest due window. */
  *counts(
    evidence: JobEvidence,
  ): Iterable<{ readonly metric: string; readonly value: VerdictValue; readonly series: number }> {
    for (const history of this.#histories.values()) {
      const counts = new Map<VerdictValue, number>(verdictValues.map((value) => [value, 0]))
      const block = newestDue(history, evidence.now)
      if (block !== undefined) {
        const window = verdictOn(history, block, evidence)
        for (const id of knownSeries(history, block)) {
          const value = seriesValue(window, block, id)
          counts.set(value, (counts.get(value) ?? 0) + 1)
        }
      }
      for (const [value, series] of counts) yield { metric: history.metric.name, value, series }
    }
  }

  /** Notes about verdicts that are new since the last call. */
  notes(evidence: JobEvidence): readonly VerdictNote[] {
    const notes: VerdictNote[] = []
    for (const history of this.#histories.values()) {
      const { blocks } = history
      for (let index = Math.max(0, blocks.length - notedWindows); index < blocks.length; index++) {
        const block = blocks[index]
        if (block === undefined || this.#notes.isDone(block)) continue
        if (!isDue(history, block, evidence.now)) continue
        const window = verdictOn(history, block, evidence)
        const zeros = () => zeroSeries(history, block, window)
        notes.push(...this.#notes.write(history, block, window, zeros))
      }
    }
    return notes
  }

  #ofWindow(
    history: MetricHistory,
    block: WindowBlock,
    { match }: VerdictQuery,
    evidence: JobEvidence,
  ): Verdict[] {
    const window = verdictOn(history, block, evidence)
    const rate = this.#samples.rate(history.metric.source)
    const verdicts: Verdict[] = []
    for (const id of knownSeries(history, block)) {
      const tags: LabelSet = history.series.tagsOf(id)
      if (!matches(match, tags)) continue
      const value = seriesValue(window, block, id)
      const numbers = numbersOf(history, block, id)
      const counted = { events: numbers.events, deduplicated: numbers.users ?? numbers.count }
      verdicts.push({
        metric: history.metric.name,
        tags,
        windowStart: block.start,
        windowEnd: block.end,
        value,
        delivery: window.delivery,
        numbers,
        reason: value === 'ZERO' ? 'no event, while the source was alive' : window.reason,
        evidence: evidenceOf(evidence, history.metric.source, counted, rate),
        judgedAt: evidence.now,
      })
    }
    return verdicts
  }
}

function verdictOn(
  history: MetricHistory,
  block: WindowBlock,
  evidence: JobEvidence,
): WindowVerdict {
  const source = evidence.sources.find(({ name }) => name === history.metric.source)
  return judgeWindow(block, source, history.firstWhole !== undefined, evidence.now)
}

function numbersOf(history: MetricHistory, block: WindowBlock, id: number): Record<string, number> {
  const numbers: Record<string, number> = {}
  history.columns.forEach((name, column) => {
    const value = block.value(id, column)
    if (!Number.isNaN(value)) numbers[name] = value
  })
  return numbers
}

/** Of a closed window those that have a number: every known series has one. Of an open one those that are known. */
function* knownSeries(history: MetricHistory, block: WindowBlock): Iterable<number> {
  const isClosed = block.kind === 'whole'
  for (let id = 0; id < history.series.size; id++) {
    const isThere = block.flag(id) !== rowFlags.absent
    const isKnown = () => history.series.isKnown(id, block.end, history.metric.expireAfterMs)
    if (isThere || (!isClosed && isKnown())) yield id
  }
}

function* zeroSeries(
  history: MetricHistory,
  block: WindowBlock,
  window: WindowVerdict,
): Iterable<LabelSet> {
  for (const id of knownSeries(history, block)) {
    if (seriesValue(window, block, id) === 'ZERO') yield history.series.tagsOf(id)
  }
}

function isDue({ metric }: MetricHistory, block: WindowBlock, now: EpochMs): boolean {
  return now >= block.end + metric.outOfOrdernessMs + metric.evaluationDelayMs
}

function newestDue(history: MetricHistory, now: EpochMs): WindowBlock | undefined {
  for (let index = history.blocks.length - 1; index >= 0; index--) {
    const block = history.blocks[index]
    if (block !== undefined && isDue(history, block, now)) return block
  }
  return undefined
}
