// `npm run demo`: `warden demo`, built first when it is not or when the source is newer. One process, so that Ctrl-C reaches it.
import { buildIfStale } from './build.mjs'

buildIfStale()
process.argv.splice(2, 0, 'demo')
await import('../bin/warden.js')
