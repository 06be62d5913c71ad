// Exit 0 while Warden's process answers. WARDEN_HEALTH_URL where `server.listen` is not on port 4280.
const url = process.env.WARDEN_HEALTH_URL ?? 'http://127.0.0.1:4280/health/live'
try {
  const response = await fetch(url, { signal: AbortSignal.timeout(4_000) })
  if (!response.ok) throw new Error(`HTTP ${response.status}`)
} catch (error) {
  console.error(`${url}: ${error.cause?.message ?? error.message}`)
  process.exitCode = 1
}
