import type { FastifyInstance, FastifyReply } from 'fastify'
import type { AlertEngine } from '../alert/alert-engine.ts'
import type { Alert } from '../alert/lifecycle/alert.ts'
import { parseInstant } from '../config/read/instants.ts'
import { resolveMatchers } from '../config/resolve-rules.ts'
import type { Matchers, SilencePlan } from '../core/alert-plan.ts'
import type { Clock } from '../core/telemetry.ts'
import { epochMs, MAX_TIME, MIN_TIME, parseDuration } from '../core/time.ts'

const root = '/api/warden'
const usualLimit = 1_000
const mostVerdicts = 100_000

type Query = Readonly<Record<string, string | undefined>>
type Body = Readonly<Record<string, unknown>> | null

/**
 * What there is to know and to do about verdicts and alerts by HTTP: `GET /api/warden/verdicts`, `/alerts`, `/rules`, `/silences`, `/routes/explain`;
 * `POST /silences`, `/silences/preview`, `/alerts/acknowledge`; `DELETE /silences/:id`. The token of the server covers all of it.
 */
export async function registerAlertApi(
  server: FastifyInstance,
  engine: () => AlertEngine,
  clock: Clock,
): Promise<void> {
  server.get<{ Querystring: Query }>(`${root}/verdicts`, (request, reply) => {
    const { metric, from, to, limit, ...tags } = request.query
    const since = instant(from, MIN_TIME)
    const until = instant(to, MAX_TIME)
    const most = limit === undefined ? usualLimit : Number(limit)
    if (since === undefined || until === undefined) {
      return refuse(reply, 'from and to are instants such as 2026-11-20T00:00:00Z, or epoch ms')
    }
    if (!(most >= 1 && most <= mostVerdicts)) {
      return refuse(reply, `limit is 1 to ${mostVerdicts}`)
    }
    const one = engine()
    if (one.evidence === undefined) return { verdicts: [] }
    const match = matchersOf(tags)
    const query = { metric, match, from: since, to: until, limit: most }
    return { verdicts: one.board.query(query, one.evidence) }
  })
  server.get<{ Querystring: Query }>(`${root}/alerts`, (request) => {
    const one = engine()
    const wanted = request.query.state
    const alerts = [...one.states.all()].filter(({ state }) =>
      wanted === undefined ? state !== 'inactive' : state === wanted,
    )
    return { alerts: alerts.map((alert) => shown(one, alert)) }
  })
  server.get(`${root}/rules`, () => {
    const one = engine()
    return {
      rules: one.plan.rules.map((rule) => ({
        name: rule.name,
        kind: rule.kind,
        team: rule.team,
        ...('metric' in rule ? { metric: rule.metric } : {}),
        judgedUntil: finite(one.states.rule(rule.name).frontier),
        held: one.states.rule(rule.name).held,
      })),
    }
  })
  server.get<{ Querystring: Query }>(`${root}/routes/explain`, (request) => {
    const labels: Record<string, string> = {}
    for (const [name, value = ''] of Object.entries(request.query)) labels[name] = value
    return { labels, routes: engine().explainRoute(labels) }
  })
  server.get(`${root}/silences`, () => ({ silences: engine().silences.list(clock.now()) }))
  server.post<{ Body: Body }>(`${root}/silences/preview`, (request, reply) => {
    const match = matchOf(request.body)
    return match === undefined
      ? refuse(reply, 'match is a section: label → text or list of texts')
      : { alerts: engine().preview(match) }
  })
  server.post<{ Body: Body }>(`${root}/silences`, (request, reply) => {
    const silence = silenceOf(request.body, clock.now())
    if (typeof silence === 'string') return refuse(reply, silence)
    try {
      engine().silences.add(silence)
    } catch (cause) {
      return refuse(reply, cause instanceof Error ? cause.message : String(cause))
    }
    return { silence, alerts: engine().preview(silence.match) }
  })
  server.delete<{ Params: { id: string } }>(`${root}/silences/:id`, (request, reply) =>
    engine().silences.expire(request.params.id, clock.now())
      ? { ended: request.params.id }
      : reply.code(404).send({ error: 'there is no such silence that was made by people' }),
  )
  server.post<{ Body: Body }>(`${root}/alerts/acknowledge`, (request, reply) => {
    const { incident, by, reason = '' } = request.body ?? {}
    if (typeof incident !== 'string' || typeof by !== 'string' || by === '') {
      return refuse(reply, 'incident and by are needed')
    }
    const count = engine().acknowledge(incident, by, String(reason), clock.now())
    return count > 0
      ? { acknowledged: count }
      : reply.code(404).send({ error: 'no alert of that incident fires' })
  })
}

function shown(engine: AlertEngine, alert: Alert) {
  const { incident, state, severity, cause, held, value, reason, told, acknowledged } = alert
  const { startedAt, firedAt, windowStart, windowEnd } = alert
  const labels = engine.labels(alert)
  const times = { startedAt, firedAt, windowStart, windowEnd }
  return {
    incident,
    labels,
    state,
    severity,
    cause,
    held,
    value,
    reason,
    ...times,
    told,
    acknowledged,
  }
}

function silenceOf(body: Body, now: ReturnType<Clock['now']>): SilencePlan | string {
  const match = matchOf(body)
  if (body === null || match === undefined) return 'match is a section: label → text or list'
  const { owner, reason, for: length, until, id } = body
  if (typeof owner !== 'string' || typeof reason !== 'string') return 'owner and reason are needed'
  const span = typeof length === 'string' ? parseDuration(length) : undefined
  const end = typeof until === 'string' ? parseInstant(until) : undefined
  if (span === undefined && end === undefined) return 'give for: 8h, or until: an instant'
  return {
    id: typeof id === 'string' ? id : `api-${now}`,
    match,
    from: now,
    until: end ?? epochMs(now + (span ?? 0)),
    owner,
    reason,
  }
}

function matchOf(body: Body): Matchers | undefined {
  const match = body?.match
  if (typeof match !== 'object' || match === null || Array.isArray(match)) return undefined
  const entries = Object.entries(match as Readonly<Record<string, unknown>>)
  const isText = (one: unknown): one is string => typeof one === 'string'
  const legal = entries.every(([, one]) => isText(one) || (Array.isArray(one) && one.every(isText)))
  if (entries.length === 0 || !legal) return undefined
  return resolveMatchers(match as Readonly<Record<string, string | readonly string[]>>)
}

const matchersOf = (tags: Query): Matchers =>
  Object.entries(tags).map(([label, value = '']) => ({ label, patterns: [value] }))

function instant(text: string | undefined, usual: ReturnType<typeof epochMs>) {
  if (text === undefined) return usual
  return /^-?\d+$/.test(text) ? epochMs(Number(text)) : parseInstant(text)
}

const finite = (at: number | undefined): number | undefined =>
  at === undefined || !Number.isFinite(at) ? undefined : at

const refuse = (reply: FastifyReply, error: string): FastifyReply => reply.code(400).send({ error })
