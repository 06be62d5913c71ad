import type { LineCounter } from 'yaml'
import type { Problem } from '../problem.ts'

/** Finds line and column, and collects what is wrong. */
export class Problems {
  readonly #file: string
  readonly #lines: LineCounter
  readonly #found: Problem[] = []

  constructor(file: string, lines: LineCounter) {
    this.#file = file
    this.#lines = lines
  }

  get found(): readonly Problem[] {
    return this.#found
  }

  add(at: number, path: string, what: string, right: string): void {
    const { line, col } = this.#lines.linePos(Math.max(0, at))
    this.#found.push({
      file: this.#file,
      line: Math.max(1, line),
      column: Math.max(1, col),
      path,
      what,
      right,
    })
  }
}
