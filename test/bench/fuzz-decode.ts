/**
 * Every decoder beside JSON.parse on random documents and plans, for as long as one likes:
 * `node --import tsx test/bench/fuzz-decode.ts [documents] [seed]`. A difference is printed with the plan and the documents, as
 * small as they can be made, and the seed that leads there.
 */
import fc from 'fast-check'
import { anyPlans, assertEqual, type Plans, plans, setOf } from '../support/decode-comparison.ts'
import { documents } from '../support/json-texts.ts'

const wanted = Number(process.argv[2] ?? 1_000_000)
const seed = Number(process.argv[3] ?? Date.now() & 0x7fffffff)
const batchSize = 40
const startedAt = performance.now()
const known: fc.Arbitrary<Plans> = fc.constantFrom(...plans)
let compared = 0
let events = 0
let rows = 0
let rejects = 0
let fallbacks = 0

console.log(`seed ${seed}, ${wanted} documents`)
for (let round = 0; compared < wanted; round++) {
  fc.assert(
    fc.property(
      fc.oneof(known, anyPlans),
      fc.array(documents, { minLength: batchSize, maxLength: batchSize }),
      (plan, batch) => {
        const set = setOf(plan)
        // Twice: what the first pass learnt must not change what the second gives.
        assertEqual(set, plan, batch)
        assertEqual(set, plan, batch)
        compared += batch.length
        events += set.parse.out.length
        rows += set.parse.out.metrics.reduce((sum, { length }) => sum + length, 0)
        rejects += set.parse.out.rejects.length
        fallbacks += (set.subjects[1]?.decoder.stats.fallbacks ?? 0) / 2
      },
    ),
    { numRuns: Math.min(500, Math.ceil((wanted - compared) / batchSize)), seed: seed + round },
  )
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(0)
  console.log(
    `${compared} documents, ${events} events, ${rows} rows, ${rejects} rejects, ` +
      `${fallbacks} left to JSON.parse by json-wasm: all equal (${seconds} s)`,
  )
}
