// Reporter of node:test: one JSON object a line and test, `end` as the last one. Reads in scripts/test-run.ts.
import { inspect } from 'node:util'

/** Subtests that failed are reported by themselves; their parent's failure says nothing more. */
const isOnlyParent = (data) => data.details?.error?.failureType === 'subtestsFailed'

function textOf(error) {
  if (error === undefined) return 'failed without a reason'
  const cause = error.cause ?? error
  return typeof cause === 'object' && cause !== null ? inspect(cause) : String(cause)
}

/** `inner` of `outer`: the names of the tests around it, by file, as they were started. */
class Nesting {
  #files = new Map()

  start({ file, nesting, name }) {
    const names = this.#files.get(file) ?? []
    names.length = nesting
    names[nesting] = name
    this.#files.set(file, names)
  }

  fullName({ file, nesting, name }) {
    return [...(this.#files.get(file) ?? []).slice(0, nesting), name].join(' › ')
  }
}

/** Tells parents from single tests: a parent's verdict follows those of its children. */
class Parents {
  #seen = new Map()

  /** Whether the test whose verdict this is had children. */
  take({ file, nesting }) {
    const key = `${file}\0`
    const had = this.#seen.get(key + (nesting + 1)) === true
    this.#seen.set(key + (nesting + 1), false)
    this.#seen.set(key + nesting, true)
    return had
  }
}

function verdictOf(type, data, wasParent) {
  if (type === 'test:fail' && data.todo === undefined)
    return isOnlyParent(data) ? undefined : 'fail'
  if (wasParent || data.details?.type === 'suite') return undefined
  if (data.skip !== undefined || data.todo !== undefined) return 'skip'
  return 'pass'
}

export default async function* report(source) {
  const nesting = new Nesting()
  const parents = new Parents()
  for await (const { type, data } of source) {
    if (type === 'test:start') nesting.start(data)
    if (type === 'test:stdout' || type === 'test:stderr') {
      yield `${JSON.stringify({ kind: 'output', file: data.file, text: data.message })}\n`
    }
    if (type !== 'test:pass' && type !== 'test:fail') continue
    const verdict = verdictOf(type, data, parents.take(data))
    if (verdict === undefined) continue
    const reason = [data.skip, data.todo].find((one) => typeof one === 'string')
    yield `${JSON.stringify({
      kind: verdict,
      name: nesting.fullName(data),
      file: data.file,
      line: data.line,
      ms: data.details?.duration_ms ?? 0,
      ...(verdict === 'fail' ? { error: textOf(data.details?.error) } : {}),
      ...(verdict === 'skip' ? { reason: reason ?? '' } : {}),
    })}\n`
  }
  yield `${JSON.stringify({ kind: 'end' })}\n`
}
