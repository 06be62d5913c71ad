import assert from 'node:assert/strict'
import { createServer, connect as dial, type Server, type Socket } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { ZookeeperLease, type ZookeeperLeaseOptions } from '../../src/lease/zookeeper-lease.ts'
import { SystemClock } from '../../src/system-clock.ts'
import { RecordingLogger } from '../support/recording-logger.ts'
import { RecordingMetrics } from '../support/recording-metrics.ts'
import { until } from '../support/until.ts'
import { startZookeeper, type ZookeeperService } from '../support/zookeeper-service.ts'

let zookeeper: ZookeeperService
let paths = 0
const telemetry = {
  clock: new SystemClock(),
  logger: new RecordingLogger(),
  metrics: new RecordingMetrics(),
}
const sessionTimeoutMs = 1500
const forever = new AbortController().signal

before(async () => {
  zookeeper = await startZookeeper()
})
after(async () => {
  await zookeeper?.stop()
})

function leaseOf(
  path: string,
  holder: string,
  options: Partial<ZookeeperLeaseOptions> = {},
): ZookeeperLease {
  const servers = [{ host: '127.0.0.1', port: zookeeper.port }]
  return new ZookeeperLease(
    { servers, path, holder, sessionTimeoutMs, ...options },
    telemetry,
    Math.random,
  )
}

const freshPath = () => `/warden/jobs/job-${paths++}/leader`

/** Between a client and ZooKeeper: can be cut, or hold back everything, as a network or a frozen client does. */
class Wire {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  #held = false

  constructor(port: number) {
    this.#server = createServer((client) => {
      const server = dial({ host: '127.0.0.1', port })
      for (const [from, to] of [
        [client, server],
        [server, client],
      ] as const) {
        this.#sockets.add(from)
        from.on('error', () => {})
        from.on('data', (chunk) => to.write(chunk))
        from.on('close', () => {
          this.#sockets.delete(from)
          to.destroy()
        })
        if (this.#held) from.pause()
      }
    })
  }

  async listen(): Promise<number> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve))
    const address = this.#server.address()
    return typeof address === 'object' && address !== null ? address.port : 0
  }

  hold(held: boolean): void {
    this.#held = held
    for (const socket of this.#sockets) {
      if (held) socket.pause()
      else socket.resume()
    }
  }

  cut(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  async close(): Promise<void> {
    this.cut()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}

describe('a lease in ZooKeeper', () => {
  test('is held by one; given back, the next one has it at once, with a larger token', async () => {
    const path = freshPath()
    const [first, second] = [leaseOf(path, 'one'), leaseOf(path, 'two')]
    const held = await first.acquire(forever)
    assert.ok(held.held())
    assert.equal(first.holder(), 'one')
    let got = false
    const waiting = second.acquire(forever).then((holding) => {
      got = true
      return holding
    })
    await until('the second sees who holds it', () => second.holder() === 'one')
    assert.equal(got, false)
    const before = performance.now()
    await first.close()
    assert.ok(!held.held() && held.lost.aborted)
    const next = await waiting
    assert.ok(performance.now() - before < sessionTimeoutMs / 2, 'it did not wait for the session')
    assert.ok(next.token > held.token)
    await second.close()
  })

  test('a wait is given up when told to, and leaves the lease alone', async () => {
    const path = freshPath()
    const [first, second] = [leaseOf(path, 'one'), leaseOf(path, 'two')]
    const held = await first.acquire(forever)
    const stop = new AbortController()
    const waiting = second.acquire(stop.signal)
    await until('the second waits', () => second.holder() === 'one')
    stop.abort(new Error('enough'))
    await assert.rejects(waiting, /enough/)
    assert.ok(held.held())
    await second.close()
    await first.close()
  })

  test('of twenty that ask at once exactly one holds it at any time', async () => {
    const path = freshPath()
    let holders = 0
    let most = 0
    const tokens: bigint[] = []
    await Promise.all(
      Array.from({ length: 20 }, async (_, index) => {
        const lease = leaseOf(path, `h${index}`)
        const held = await lease.acquire(forever)
        holders++
        most = Math.max(most, holders)
        tokens.push(held.token)
        await new Promise((resolve) => setImmediate(resolve))
        holders--
        await lease.close()
      }),
    )
    assert.equal(most, 1)
    assert.deepEqual(
      tokens,
      [...tokens].sort((a, b) => (a < b ? -1 : 1)),
    )
  })

  test('a holder that is cut off stops before another can have it', async () => {
    const path = freshPath()
    const wire = new Wire(zookeeper.port)
    const port = await wire.listen()
    const first = leaseOf(path, 'one', { servers: [{ host: '127.0.0.1', port }] })
    const second = leaseOf(path, 'two')
    const held = await first.acquire(forever)
    let lostAt = 0
    held.lost.addEventListener('abort', () => {
      lostAt = performance.now()
    })
    let takenAt = 0
    const waiting = second.acquire(forever).then((holding) => {
      takenAt = performance.now()
      // Whatever the first one was told meanwhile, it may not write now.
      assert.equal(held.held(), false)
      return holding
    })
    await until('the second waits', () => second.holder() === 'one')
    wire.hold(true)
    const next = await waiting
    await until('the first has noticed', () => lostAt > 0)
    assert.ok(lostAt <= takenAt + 50, `lost ${lostAt - takenAt} ms after it was taken`)
    assert.ok(next.token > held.token)
    // Thawed, the old holder stays without it.
    wire.hold(false)
    assert.equal(held.held(), false)
    await first.close()
    assert.ok(next.held())
    await second.close()
    await wire.close()
  })

  test('a connection that breaks is replaced within the session: the lease stays', async () => {
    const path = freshPath()
    const wire = new Wire(zookeeper.port)
    const port = await wire.listen()
    const lease = leaseOf(path, 'one', { servers: [{ host: '127.0.0.1', port }] })
    const held = await lease.acquire(forever)
    for (let cut = 0; cut < 3; cut++) {
      wire.cut()
      await new Promise((resolve) => setTimeout(resolve, sessionTimeoutMs))
      assert.ok(held.held(), `after ${cut + 1} cuts`)
    }
    await lease.close()
    await wire.close()
  })

  test('a ZooKeeper that is killed and started again is asked again by those who wait', async () => {
    const path = freshPath()
    const [first, second] = [leaseOf(path, 'one'), leaseOf(path, 'two')]
    const held = await first.acquire(forever)
    const waiting = second.acquire(forever)
    await until('the second waits', () => second.holder() === 'one')
    await zookeeper.kill()
    await until('the holder stops by itself', () => !held.held(), 10_000)
    await first.close()
    await zookeeper.start()
    const next = await waiting
    assert.ok(next.held())
    await second.close()
  })

  test('with credentials nobody else can take it; wrong ones are an error that stops', async () => {
    const path = freshPath()
    const lease = leaseOf(path, 'one', { credentials: 'warden:secret' })
    const held = await lease.acquire(forever)
    const stranger = leaseOf(path, 'stranger', { credentials: 'warden:wrong' })
    await assert.rejects(stranger.acquire(forever), { code: 'lease_refused' })
    assert.ok(held.held())
    await stranger.close()
    await lease.close()
  })
})
