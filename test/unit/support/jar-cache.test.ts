import assert from 'node:assert/strict'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, test } from 'node:test'
import { reservePorts } from '../../support/free-ports.ts'
import { cachedJars, isCached, type JarList } from '../../support/jar-cache.ts'

let root = ''
let before: string | undefined
let fills = 0

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'warden-jar-cache-'))
  before = process.env.WARDEN_SERVICES_DIR
  process.env.WARDEN_SERVICES_DIR = join(root, 'cache')
  fills = 0
  await writeFile(join(root, 'pom.xml'), '<artifactId>a</artifactId><version>1.2-3</version>')
})

afterEach(async () => {
  if (before === undefined) delete process.env.WARDEN_SERVICES_DIR
  else process.env.WARDEN_SERVICES_DIR = before
  await rm(root, { recursive: true })
})

const list = (fill: (directory: string) => Promise<void>): JarList => ({
  name: 'service',
  pom: join(root, 'pom.xml'),
  async fill(directory) {
    fills++
    await fill(directory)
  },
})

const whole = () => list((directory) => writeFile(join(directory, 'a.jar'), 'jar'))

test('of many that want the jars at once one fetches them, and all get them whole', async () => {
  const found = await Promise.all(Array.from({ length: 5 }, () => cachedJars(whole())))
  assert.deepEqual(new Set(found), new Set([join(root, 'cache', 'service-1.2-3')]))
  assert.equal(await readFile(join(found[0] ?? '', 'a.jar'), 'utf8'), 'jar')
  assert.equal(fills, 1)
  assert.deepEqual(await readdir(join(root, 'cache')), ['service-1.2-3'])
})

test('a fetch that breaks leaves no cache entry, and the next one starts anew', async () => {
  const broken = list(async (directory) => {
    await writeFile(join(directory, 'half.jar'), '')
    throw new Error('no network')
  })
  await assert.rejects(cachedJars(broken), /no network/)
  assert.ok(!isCached(broken))
  const directory = await cachedJars(whole())
  assert.deepEqual(await readdir(directory), ['a.jar'])
  assert.deepEqual(await readdir(join(root, 'cache')), ['service-1.2-3'])
})

test('the lock of a process that died holds nobody up', async () => {
  await mkdir(join(root, 'cache'))
  await writeFile(join(root, 'cache', 'service-1.2-3.lock'), '4194305')
  assert.deepEqual(await readdir(await cachedJars(whole())), ['a.jar'])
})

test('ports are reserved once, and free again after release', async () => {
  const first = await reservePorts(5)
  const second = await reservePorts(5)
  try {
    assert.equal(new Set([...first.ports, ...second.ports]).size, 10)
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(first.ports[0], '127.0.0.1', resolve))
    await new Promise((resolve) => server.close(resolve))
  } finally {
    first.release()
    second.release()
  }
})
