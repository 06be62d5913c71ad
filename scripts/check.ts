/** `npm run check`: everything that needs no service, in less than a minute. */
import { showProgress, showResults, staticChecks, unitTests } from './steps.ts'

const startedAt = performance.now()
const results = await staticChecks()
for (const result of results) showProgress(result)
const tests = await unitTests(`tests on Node ${process.versions.node}`, process.execPath)
showProgress(tests)
const allWell = showResults([...results, tests])
const seconds = (performance.now() - startedAt) / 1000
if (seconds > 60)
  console.error(`the check took ${seconds.toFixed(0)} s; it should take less than 60`)
process.exitCode = allWell ? 0 : 1
