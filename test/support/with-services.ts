/**
 * Runs a command with the services its tests share, each started once:
 *   node --import tsx test/support/with-services.ts [--kafka] [--opentsdb] -- COMMAND [ARGUMENT…]
 * Exits as the command does; with 1 and a sentence when a service can't run here.
 */
import { spawn } from 'node:child_process'
import { parseArgs } from 'node:util'
import { kafkaMissing } from './kafka-cli.ts'
import { type KafkaService, startKafka } from './kafka-service.ts'
import { type OpentsdbService, opentsdbMissing, startOpentsdb } from './opentsdb-service.ts'

const { values, positionals } = parseArgs({
  options: { kafka: { type: 'boolean' }, opentsdb: { type: 'boolean' } },
  allowPositionals: true,
})
const [command, ...args] = positionals
if (command === undefined) fail('usage: with-services.ts [--kafka] [--opentsdb] -- COMMAND …')

const missing = [
  values.kafka === true ? kafkaMissing() : undefined,
  values.opentsdb === true ? opentsdbMissing() : undefined,
].filter((one) => one !== undefined)
if (missing.length > 0) fail(missing.join('\n'))

const services: (KafkaService | OpentsdbService)[] = []
const environment: Record<string, string> = {}

async function kafka(): Promise<void> {
  const service = await startKafka({ saslSsl: true })
  services.push(service)
  environment.WARDEN_TEST_KAFKA = JSON.stringify(service.address)
}

async function opentsdb(): Promise<void> {
  const service = await startOpentsdb()
  services.push(service)
  environment.WARDEN_TEST_OPENTSDB = service.url
}

try {
  // One after the other: together they need longer than apart on two cores, and their time limits would not hold.
  if (values.kafka === true) await kafka()
  if (values.opentsdb === true) await opentsdb()
  process.exitCode = await run(command)
} finally {
  await Promise.all(services.map((service) => service.stop()))
}

function run(program: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      stdio: 'inherit',
      env: { ...process.env, ...environment },
    })
    // The command gets Ctrl-C too, ends, and the services are stopped after it.
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.on(signal, () => child.kill(signal))
    }
    child.once('error', reject)
    child.once('exit', (code) => resolve(code ?? 1))
  })
}

function fail(message: string): never {
  process.stderr.write(`${message}\n`)
  process.exit(1)
}
