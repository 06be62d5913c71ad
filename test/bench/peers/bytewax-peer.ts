import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { reservePorts } from '../../support/free-ports.ts'
import { cachedDirectory } from '../../support/jar-cache.ts'
import { hasCommand } from '../../support/java.ts'
import type { Peer, Task } from './peer.ts'
import { measurePrograms } from './program-peer.ts'
import type { Measured } from './stopwatch.ts'

const run = promisify(execFile)

const programs = fileURLToPath(new URL('programs/', import.meta.url))
const requirements = join(programs, 'requirements.txt')

/** One for each core: Python runs one thread at a time. */
const processes = 2

/** The whole job as a bytewax dataflow over two processes, from PyPI into a virtual environment of its own. */
export const bytewaxPeer: Peer = {
  key: 'bytewax',
  name: 'bytewax, 2 processes',
  missing: () =>
    hasCommand('python3', ['-m', 'venv', '--help'])
      ? undefined
      : 'bytewax needs Python 3.9 or newer with venv (Debian: apt install python3-venv).',
  measure,
}

async function measure({ bootstrap, topic, endMs }: Task): Promise<Measured> {
  const python = await environment()
  const { ports, release } = await reservePorts(processes)
  const addresses = ports.map((port) => `127.0.0.1:${port}`).join(',')
  try {
    const all = ports.map((_, index) => ({
      command: python,
      args: [
        join(programs, 'bytewax_job.py'),
        ...[bootstrap, topic.name, String(index), addresses],
      ],
      givesCounts: true,
    }))
    return await measurePrograms({ bootstrap, topic, endMs }, all)
  } finally {
    release()
  }
}

/** Python with the packages, made on first use. Rejects with what pip says where there is no wheel. */
async function environment(): Promise<string> {
  const version = bytewaxVersion()
  const directory = await cachedDirectory(`bytewax-${version}`, async (temporary) => {
    await run('python3', ['-m', 'venv', temporary])
    const python = join(temporary, 'bin/python')
    await run(python, ['-m', 'pip', 'install', '--only-binary=:all:', '-r', requirements])
  })
  return join(directory, 'bin/python')
}

export function bytewaxVersion(): string | undefined {
  return /^bytewax==(\S+)$/m.exec(readFileSync(requirements, 'utf8'))?.[1]
}
