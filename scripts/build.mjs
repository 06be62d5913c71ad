// `npm run build`: src/ compiled into dist/, which appears whole or not at all. With --if-stale only when something is newer.
import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const dist = join(root, 'dist')
const stamp = join(dist, 'main.js')

function isStale() {
  if (!existsSync(stamp)) return true
  const builtAt = statSync(stamp).mtimeMs
  const sources = readdirSync(join(root, 'src'), { recursive: true }).map((name) => `src/${name}`)
  const all = ['src', 'package-lock.json', 'tsconfig.json', 'tsconfig.build.json', ...sources]
  return all.some((name) => statSync(join(root, name)).mtimeMs > builtAt)
}

export function build() {
  const temporary = mkdtempSync(join(root, '.build-'))
  try {
    const compiler = join(root, 'node_modules/typescript/bin/tsc')
    execFileSync(
      process.execPath,
      [compiler, '-p', join(root, 'tsconfig.build.json'), '--outDir', temporary],
      { stdio: 'inherit', cwd: root },
    )
    // Pages and the like go along as they are.
    cpSync(join(root, 'src'), temporary, {
      recursive: true,
      filter: (source) => !source.endsWith('.ts'),
    })
    chmodSync(temporary, 0o755)
    rmSync(dist, { recursive: true, force: true })
    renameSync(temporary, dist)
  } finally {
    rmSync(temporary, { recursive: true, force: true })
  }
}

export function buildIfStale() {
  if (!isStale()) return
  console.error('Building …')
  build()
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    if (process.argv.includes('--if-stale')) buildIfStale()
    else build()
  } catch {
    console.error('The build failed; dist/ is as it was.')
    process.exitCode = 1
  }
}
