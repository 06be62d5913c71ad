import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { cpus, loadavg, release, totalmem } from 'node:os'
import { bytewaxVersion } from '../peers/bytewax-peer.ts'

const root = new URL('../../../', import.meta.url)

/** `npm run NAME -- …` as it was typed. */
export function commandOf(name: string): string {
  const args = process.argv.slice(2)
  return `npm run ${name}${args.length > 0 ? ` -- ${args.join(' ')}` : ''}`
}

/**
 * The command, the machine and the versions, in one sentence each. Call it before the work: it tells how busy the machine was.
 * @param peers programs whose versions matter, beside Node and Kafka
 */
export function circumstances(
  command: string,
  peers: readonly ('kafkajs' | 'flink' | 'bytewax')[] = [],
): string {
  const cores = cpus()
  const gib = (totalmem() / 2 ** 30).toFixed(0)
  const commit = execFileSync('git', ['describe', '--always', '--dirty'], { cwd: root })
  const versions = {
    kafkajs: () => `kafkajs ${packageVersion('kafkajs')}`,
    flink: () => `Flink ${pomProperty('flink', 'flink.version')} on Java ${javaVersion()}`,
    bytewax: () => `bytewax ${bytewaxVersion()}`,
  }
  const others = peers.map((peer) => `, ${versions[peer]()}`).join('')
  return [
    `- \`${command}\`, ${new Date().toISOString().slice(0, 16)} UTC, commit ${String(commit).trim()}`,
    `- ${cores.length} × ${cores[0]?.model.trim()}, ${gib} GiB, Linux ${release()}; load average before the run ${loadavg()[0]?.toFixed(2)}; the broker runs on the same cores`,
    `- Node ${process.versions.node}, Kafka ${pomProperty('kafka', 'kafka.version')}, @platformatic/kafka ${packageVersion('@platformatic/kafka')}${others}`,
  ].join('\n')
}

function packageVersion(name: string): string | undefined {
  const lock = JSON.parse(readFileSync(new URL('package-lock.json', root), 'utf8')) as {
    readonly packages: Readonly<Record<string, { readonly version?: string }>>
  }
  return lock.packages[`node_modules/${name}`]?.version
}

function pomProperty(service: string, name: string): string | undefined {
  const pom = readFileSync(new URL(`test/services/${service}/pom.xml`, root), 'utf8')
  return new RegExp(`<${name.replace('.', '\\.')}>([^<]+)<`).exec(pom)?.[1]
}

function javaVersion(): string {
  const text = execFileSync('java', ['--version'], { encoding: 'utf8' })
  return /\d+[.\d]*/.exec(text)?.[0] ?? 'unknown'
}
