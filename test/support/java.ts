import { execFile, spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** Copies the jars that `pom` names, and those they need, into `directory`. */
export async function copyJars(pom: string, directory: string): Promise<void> {
  const plugin = 'org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies'
  const args = ['-B', '-q', '-f', pom, plugin, '-DincludeScope=runtime']
  try {
    await run('mvn', [...args, `-DoutputDirectory=${directory}`], { timeout: 15 * 60_000 })
  } catch (cause) {
    const output =
      cause instanceof Error && 'stdout' in cause ? String(cause.stdout).slice(-2000) : ''
    throw new Error(`Maven could not fetch the jars of ${pom}\n${output}`, { cause })
  }
}

export function javaCommand(tool: 'java' | 'javac' = 'java'): string {
  return process.env.JAVA_HOME === undefined ? tool : join(process.env.JAVA_HOME, 'bin', tool)
}

/** Major version of the Java on the path (or in JAVA_HOME); undefined when there is none. */
export function javaVersion(): number | undefined {
  const { stderr, status } = spawnSync(javaCommand(), ['-version'], { encoding: 'utf8' })
  const major = /version "(?:1\.)?(\d+)/.exec(stderr ?? '')?.[1]
  return status === 0 && major !== undefined ? Number(major) : undefined
}

export function hasCommand(command: string, args: readonly string[]): boolean {
  return spawnSync(command, args, { stdio: 'ignore' }).status === 0
}
