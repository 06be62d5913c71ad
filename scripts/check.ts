/** `npm run check`: everything that needs no service, in less than a minute. */
import { showProgress, showResults, staticChecks, unitTests } from './steps.ts'

const startedAt = performance.now()
// Side by side: the type check alone keeps one core busy for a quarter of the time.
const [results, tests] = await Promise.all([
  staticChecks(),
  unitTests(`tests on Node ${process.versions.node}`, process.execPath, 'process'),
])
for (const result of [...results, tests]) showProgress(result)
const allWell = showResults([...results, tests])
const seconds = (performance.now() - startedAt) / 1000
if (seconds > 60)
  console.error(`the check took ${seconds.toFixed(0)} s; it should take less than 60`)
process.exitCode = allWell ? 0 : 1
