/** `npm run wasm`: compiles src/ingest/wasm/assembly/ to src/ingest/wasm/wasm-binaries.ts, which is committed. */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { filesUnder } from './source-files.ts'
import { root } from './test-run.ts'

const sources = 'src/ingest/wasm/assembly'
const target = 'src/ingest/wasm/wasm-binaries.ts'
const compiler = 'node_modules/assemblyscript'

const optimized = ['-O3', '--noAssert', '--runtime', 'stub', '--use', 'abort=']
const builds = { simd: [...optimized, '--enable', 'simd'], plain: optimized } as const

/** What the binaries are made from: sources, options, and the version of the compiler. */
export function digestOfSources(): string {
  const hash = createHash('sha256')
  for (const file of filesUnder(root, sources, '.ts')) {
    hash.update(`${file}\n`).update(readFileSync(join(root, file)))
  }
  const { version } = JSON.parse(readFileSync(join(root, compiler, 'package.json'), 'utf8'))
  return hash.update(JSON.stringify([builds, version])).digest('hex')
}

function compiled(options: readonly string[]): string {
  const directory = mkdtempSync(join(tmpdir(), 'warden-wasm-'))
  try {
    const output = join(directory, 'decoder.wasm')
    const entry = join(sources, 'index.ts')
    execFileSync(
      process.execPath,
      [join(root, compiler, 'bin/asc.js'), entry, '-o', output, ...options],
      { cwd: root, stdio: 'inherit' },
    )
    return readFileSync(output).toString('base64')
  } finally {
    rmSync(directory, { recursive: true })
  }
}

if (process.argv[1] === join(root, 'scripts/build-wasm.ts')) {
  writeFileSync(
    join(root, target),
    `/** Made by \`npm run wasm\` from ${sources}/; do not edit. */
export const wasmBinaries = {
  simd: '${compiled(builds.simd)}',
  plain: '${compiled(builds.plain)}',
} as const

/** SHA-256 of what they are made from: a test compares. */
export const wasmSources = '${digestOfSources()}'
`,
  )
}
