import type { BatchOrigin, BatchPreparer } from '../../core/batch-preparer.ts'
import type { DecodedBatch } from '../../core/rows.ts'
import type { BatchEnricher } from '../../enrich/batch-enricher.ts'
import type { KeyAnswer, KeyQuestion } from '../../enrich/key-question.ts'

/** Holds a batch until the main half has said what its new keys stand for; that half speaks with the tables, and is one for all lanes. */
export class KeyPreparer implements BatchPreparer {
  readonly #enricher: BatchEnricher
  readonly #ask: (number: number, questions: readonly KeyQuestion[]) => void
  #asked = 0
  #answer: (answers: readonly KeyAnswer[]) => void = () => {}

  constructor(
    enricher: BatchEnricher,
    ask: (number: number, questions: readonly KeyQuestion[]) => void,
  ) {
    this.#enricher = enricher
    this.#ask = ask
  }

  prepare(
    batch: DecodedBatch,
    _origin: BatchOrigin,
    signal: AbortSignal,
  ): Promise<void> | undefined {
    const questions = this.#enricher.begin(batch)
    return questions.length === 0 ? undefined : this.#wait(batch, questions, signal)
  }

  /** The answers to question `number`; those to an earlier one are nobody's any more. */
  answer(number: number, answers: readonly KeyAnswer[]): void {
    if (number === this.#asked) this.#answer(answers)
  }

  #wait(
    batch: DecodedBatch,
    questions: readonly KeyQuestion[],
    signal: AbortSignal,
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        this.#answer = () => {}
        reject(signal.reason)
      }
      if (signal.aborted) return onAbort()
      signal.addEventListener('abort', onAbort, { once: true })
      this.#answer = (answers) => {
        this.#answer = () => {}
        signal.removeEventListener('abort', onAbort)
        try {
          this.#enricher.finish(batch, answers)
          resolve()
        } catch (error) {
          reject(error)
        }
      }
      this.#ask(++this.#asked, questions)
    })
  }
}
