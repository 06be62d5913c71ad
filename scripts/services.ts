/** Which test files want which real service, and one start of each for all of them. */
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { kafkaMissing } from '../test/support/kafka-cli.ts'
import { startKafka } from '../test/support/kafka-service.ts'
import { opentsdbMissing, startOpentsdb } from '../test/support/opentsdb-service.ts'
import { root } from './test-run.ts'

/** Sentences that say what the machine lacks for real services and how to get it; empty when it lacks nothing. */
export function whyLeftOut(): string[] {
  return [kafkaMissing(), opentsdbMissing()].filter((one) => one !== undefined)
}

const shared = 'test/support/shared-services.ts'

/** Files that `file` imports within the checkout, itself included, by path from the root. */
function closure(file: string, seen: Set<string> = new Set()): Set<string> {
  if (seen.has(file)) return seen
  seen.add(file)
  for (const [, specifier = ''] of sourceOf(file).matchAll(/from '(\.{1,2}\/[^']+\.ts)'/g)) {
    closure(join(dirname(file), specifier), seen)
  }
  return seen
}

/** Empty for a file that is not there: the compiler says so. */
function sourceOf(file: string): string {
  try {
    return readFileSync(join(root, file), 'utf8')
  } catch {
    return ''
  }
}

/** Does `file` import `wanted`, itself or by what it imports? */
export function inClosure(file: string, wanted: string): boolean {
  return closure(file).has(wanted)
}

/** Does `file`, or what it imports, call `name` of the shared services? */
function calls(file: string, name: string): boolean {
  return [...closure(file)].some((one) => one !== shared && sourceOf(one).includes(`${name}(`))
}

export interface ServiceRun {
  /** Where the tests find the services. */
  readonly environment: Readonly<Record<string, string>>
  stop(): Promise<void>
}

/**
 * Starts what the files share, one after the other.
 * @param report runs a start, which resolves to what went wrong; without a shared service a file starts its own
 */
export async function startServices(
  files: readonly string[],
  report: (name: string, start: () => Promise<undefined>) => Promise<void>,
): Promise<ServiceRun> {
  const environment: Record<string, string> = {}
  const stops: (() => Promise<void>)[] = []
  if (files.some((file) => calls(file, 'sharedKafka'))) {
    await report('shared Kafka', async () => {
      const kafka = await startKafka({ saslSsl: true })
      stops.push(() => kafka.stop())
      environment.WARDEN_TEST_KAFKA = JSON.stringify(kafka.address)
      return undefined
    })
  }
  if (files.some((file) => calls(file, 'sharedOpentsdb'))) {
    await report('shared OpenTSDB', async () => {
      const opentsdb = await startOpentsdb()
      stops.push(() => opentsdb.stop())
      environment.WARDEN_TEST_OPENTSDB = opentsdb.url
      return undefined
    })
  }
  return {
    environment,
    stop: async () => {
      await Promise.all(stops.map((stop) => stop()))
    },
  }
}
