import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { isAlive } from '../../support/free-ports.ts'
import { ServiceProcesses } from '../../support/service-processes.ts'
import { until } from '../../support/until.ts'

async function withProcesses(use: (processes: ServiceProcesses) => Promise<void>): Promise<void> {
  const processes = new ServiceProcesses('unit')
  try {
    await use(processes)
  } finally {
    await processes.close()
  }
}

const shell = (script: string) => ({ command: 'sh', args: ['-c', script] })

test('close kills what runs, frozen or deaf to SIGTERM, and removes the directory', async () => {
  const processes = new ServiceProcesses('unit')
  await processes.start('frozen', shell('exec sleep 100'))
  await processes.start('deaf', shell("trap '' TERM; echo ready; while :; do sleep 1; done"))
  const pids = ['frozen', 'deaf'].map((id) => processes.pid(id) ?? 0)
  processes.signal('frozen', 'SIGSTOP')
  await processes.close()
  assert.deepEqual(pids.map(isAlive), [false, false])
  assert.ok(!existsSync(processes.directory))
})

test('terminate thaws a frozen process and is answered by its end', async () => {
  await withProcesses(async (processes) => {
    await processes.start(
      'one',
      shell("trap 'echo bye; exit 3' TERM; echo ready; while :; do sleep 0.05; done"),
    )
    await until('it listens to signals', () => processes.logTail('one').includes('ready'))
    processes.signal('one', 'SIGSTOP')
    const exit = processes.exit('one')
    await processes.terminate('one')
    assert.deepEqual(await exit, { code: 3, signal: null, reason: undefined })
    assert.ok(!processes.isRunning('one'))
    assert.match(readFileSync(processes.logFile('one'), 'utf8'), /ready\nbye\n/)
  })
})

test('after the grace a process deaf to SIGTERM is killed', async () => {
  await withProcesses(async (processes) => {
    await processes.start('deaf', shell("trap '' TERM; echo ready; while :; do sleep 1; done"))
    await until('it is deaf', () => processes.logTail('deaf').includes('ready'))
    const exit = processes.exit('deaf')
    await processes.terminate('deaf', 50)
    assert.equal((await exit)?.signal, 'SIGKILL')
  })
})

test('an id is free again when its process has ended', async () => {
  await withProcesses(async (processes) => {
    await processes.start('one', shell('exec sleep 100'))
    await assert.rejects(processes.start('one', shell('exit 0')), /one is running/)
    await processes.kill('one')
    await processes.start('one', shell('exec sleep 100'))
    assert.ok(processes.isRunning('one'))
  })
})

test('a command that does not exist is an error, not a crash of the keeper', async () => {
  await withProcesses(async (processes) => {
    await assert.rejects(
      processes.start('none', { command: '/does/not/exist', args: [] }),
      /\/does\/not\/exist did not start: .*ENOENT/,
    )
    await processes.start('one', shell('exec sleep 100'))
    assert.ok(processes.isRunning('one'))
  })
})
