#!/usr/bin/env node
import { existsSync } from 'node:fs'

const [major = 0, minor = 0, patch = 0] = process.versions.node.split('.').map(Number)
const main = new URL('../dist/main.js', import.meta.url)
if (major < 20 || (major === 20 && (minor < 19 || (minor === 19 && patch < 4)))) {
  console.error(`warden needs Node 20.19.4 or newer; this is ${process.versions.node}.`)
  process.exitCode = 1
} else if (!existsSync(main)) {
  console.error('warden is not built yet: run `npm ci && npm run build` in its directory.')
  process.exitCode = 1
} else {
  await import(main.href)
}
