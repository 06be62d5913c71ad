import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  anyPlans,
  assertEqual,
  type Plans,
  plans,
  setOf,
  subjects,
} from '../../support/decode-comparison.ts'
import { decoderFor, eventPlan, metricPlan, NOW } from '../../support/decode-plans.ts'
import { documents, hostileDocuments } from '../../support/json-texts.ts'
import { kafkaBatch, recordBatch } from '../../support/kafka-batches.ts'

/** Documents compared; test/bench/fuzz-decode.ts goes on for as long as one likes. */
const cases = 20_000

for (const [index, plan] of plans.entries()) {
  test(`every decoder gives the rows, rejects and hashes of JSON.parse: plan ${index}`, () => {
    let set = setOf(plan)
    let runs = 0
    let rows = 0
    fc.assert(
      // Ten at a time: a batch costs more than its documents.
      fc.property(fc.array(documents, { minLength: 10, maxLength: 10 }), (batch) => {
        // Series dictionaries fill up: now and then all begin anew.
        if (runs++ % 50 === 0) set = setOf(plan)
        assertEqual(set, plan, batch)
        rows += set.parse.out.length
      }),
      { numRuns: Math.ceil(cases / 2 / plans.length / 10) },
    )
    assert.ok(
      rows > runs,
      `only ${rows} of ${runs * 10} documents gave an event: the generator is off`,
    )
  })

  test(`every decoder agrees with JSON.parse on hostile documents: plan ${index}`, () => {
    assertEqual(setOf(plan), plan, hostileDocuments)
  })
}

test('every decoder gives the rows, rejects and hashes of JSON.parse for plans with any conditions', () => {
  fc.assert(
    fc.property(anyPlans, fc.array(documents, { minLength: 25, maxLength: 25 }), (plan, batch) => {
      assertEqual(setOf(plan), plan, batch)
    }),
    { numRuns: cases / 2 / 25 },
  )
})

test('every decoder agrees with JSON.parse on a good document with any one byte changed', () => {
  const plan: Plans = { event: eventPlan(), metrics: [metricPlan()] }
  const set = setOf(plan)
  const good = Buffer.from(
    '{"eventTime":1699999999123,"userId":"u1\\n","status":"fail","bizLine":"\u676d",' +
      '"event":"pay","n":[-1.5e3,0,true,null],"o":{"a":false}}',
  )
  const bytes = [
    ...Buffer.from('{}[]",:\\ \n0159-+eE.tfu/x'),
    0,
    15,
    16,
    31,
    127,
    128,
    192,
    224,
    237,
    240,
    255,
  ]
  for (let at = 0; at < good.length; at++) {
    const changed = bytes.map((byte) => {
      const document = Buffer.from(good)
      document[at] = byte
      return document
    })
    assertEqual(set, plan, changed)
  }
})

/** Members as programs write them: some in another order, some left out, some twice, some that begin as another does. */
const members = [
  ['"eventTime":', '1699999999123'],
  ['"eventTim":', '1'],
  ['"event":', '"pay"'],
  ['"event" :', '"refund"'],
  ['"ev\\u0065nt":', '"order"'],
  ['"userId":', '"u1"'],
  ['"userId":', '"u2"'],
  ['"bizLine":', '"retail"'],
  ['"bizLine":', '"a name of more than sixteen bytes"'],
  ['"status":', '"success"'],
  ['"status":', '"fail"'],
  ['"amount":', '12.5'],
  ['"ctx":', '{"os":"ios","ver":{"major":"7"}}'],
  ['"ctx":', '{"ver":{"major":"8","minor":1},"os":"android","time":"2023-11-14T22:13:20Z"}'],
  ['"ctx":', '{}'],
  ['"":', '0'],
  [`"${'long'.repeat(12)}":`, 'true'],
  ...Array.from({ length: 70 }, (_, index) => [`"key ${index}":`, String(index)] as const),
] as const

test('every decoder agrees with JSON.parse when the members of documents come, go and change places', () => {
  const few = fc.shuffledSubarray([...members.slice(0, 17)], { minLength: 3 })
  const many = fc.constant(members.slice(10))
  const document = fc
    .oneof({ weight: 9, arbitrary: few }, { weight: 1, arbitrary: many })
    .map((chosen) => Buffer.from(`{${chosen.map(([key, value]) => key + value).join(',')}}`))
  const sets = plans.map((plan) => ({ plan, set: setOf(plan) }))
  fc.assert(
    fc.property(fc.array(document, { minLength: 20, maxLength: 20 }), (batch) => {
      for (const { plan, set } of sets) assertEqual(set, plan, batch)
    }),
    { numRuns: 60 },
  )
})

for (const { name, kind, options } of subjects) {
  test(`${name} leaves well-formed documents to nobody`, () => {
    const { decoder, out } = decoderFor(kind, eventPlan(), [metricPlan()], options)
    const value = `{ "a\\u0062c": ["x", {"y": -1.5e3}], "eventTime" : 1699999999, "userId": "\\ud83d\\ude00",
    "bizLine":"杭州", "event":"p\\"ay", "status":"SUCC", "product":null, "z": [[], {}, true, false, null] }`
    decoder.decode(kafkaBatch([recordBatch({ records: [{ value }] })]), NOW, out)
    assert.equal(out.metrics[0]?.length, 1)
    assert.equal(decoder.stats.fallbacks, 0)
  })
}
