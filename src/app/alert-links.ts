import type { FastifyInstance, FastifyReply } from 'fastify'
import type { AuditLog } from '../alert/notify/audit-log.ts'
import type { AlertActions } from '../alert/notify/links/alert-actions.ts'
import { linkPath } from '../alert/notify/links/http-link-token.ts'
import type { LinkMaker, LinkRequest } from '../alert/notify/links/link-maker.ts'
import type { Telemetry } from '../core/telemetry.ts'
import { epochMs, formatDuration } from '../core/time.ts'

export interface AlertLinkOptions {
  readonly links: LinkMaker
  readonly actions: AlertActions
  readonly audit: AuditLog
  readonly telemetry: Telemetry
}

const longestName = 80
const longestReason = 300
const shownAlerts = 20
const bodyBytes = 16 * 1024

/**
 * The page behind the buttons of a card. The signed token is the permission; GET only shows what would be done, since chats and mail
 * scanners open every link, and POST does it.
 */
export async function registerAlertLinks(
  server: FastifyInstance,
  options: AlertLinkOptions,
): Promise<void> {
  await server.register(async (scope) => {
    scope.removeAllContentTypeParsers()
    scope.addContentTypeParser(
      'application/x-www-form-urlencoded',
      { parseAs: 'string', bodyLimit: bodyBytes },
      (_request, body, done) => done(null, new URLSearchParams(String(body))),
    )
    scope.get<{ Querystring: { token?: string } }>(linkPath, (request, reply) => {
      const token = String(request.query.token ?? '')
      const asked = options.links.verify(token, options.telemetry.clock.now())
      if ('problem' in asked) return page(reply, 410, asked.problem, '')
      return page(reply, 200, question(asked), form(asked, token, options.actions))
    })
    scope.post(linkPath, (request, reply) => {
      const fields = request.body instanceof URLSearchParams ? request.body : new URLSearchParams()
      return confirm(fields, reply, options)
    })
  })
}

function confirm(fields: URLSearchParams, reply: FastifyReply, options: AlertLinkOptions) {
  const { links, actions, audit, telemetry } = options
  const at = telemetry.clock.now()
  const token = fields.get('token') ?? ''
  const asked = links.verify(token, at)
  if ('problem' in asked) return page(reply, 410, asked.problem, '')
  const who = (fields.get('who') ?? '').trim()
  const reason = (fields.get('reason') ?? '').trim()
  const lacks =
    who === '' || who.length > longestName
      ? `your name, of at most ${longestName} characters`
      : (asked.action === 'silence' && reason === '') || reason.length > longestReason
        ? `a reason, of at most ${longestReason} characters`
        : undefined
  if (lacks !== undefined) {
    return page(reply, 400, `It needs ${lacks}.`, form(asked, token, actions))
  }
  const request = { ...asked, who, reason, at }
  const result =
    asked.action === 'silence' ? actions.silence(request) : actions.acknowledge(request)
  if ('problem' in result) return page(reply, 409, result.problem, '')
  audit.append({
    at,
    event: asked.action === 'silence' ? 'silenced' : 'acknowledged',
    who,
    reason,
    target: JSON.stringify(asked.labels),
    until: asked.action === 'silence' ? epochMs(at + asked.forMs) : undefined,
  })
  telemetry.logger.info(
    { action: asked.action, labels: asked.labels, who },
    'somebody used the link of an alert',
  )
  return page(reply, 200, result.done, '')
}

const question = ({ action, forMs }: LinkRequest): string =>
  action === 'silence'
    ? `Silence these alerts for ${formatDuration(forMs)}?`
    : 'Acknowledge these alerts?'

function form(asked: LinkRequest, token: string, actions: AlertActions): string {
  const alerts = actions.preview(asked.labels)
  const listed = alerts.slice(0, shownAlerts).map((one) => `<li>${escapeHtml(one)}</li>`)
  const more = alerts.length > shownAlerts ? `<li>and ${alerts.length - shownAlerts} more</li>` : ''
  const none = alerts.length === 0 ? '<li>none goes on now</li>' : ''
  const isSilence = asked.action === 'silence'
  return `<ul>${listed.join('')}${more}${none}</ul>
<form method="post" action="${linkPath}">
<input type="hidden" name="token" value="${escapeHtml(token)}">
<p><label>Your name <input name="who" required maxlength="${longestName}" autocomplete="name"></label></p>
<p><label>Reason <input name="reason" ${isSilence ? 'required' : ''} maxlength="${longestReason}"></label></p>
<p><button>${isSilence ? 'Silence' : 'Acknowledge'}</button></p>
</form>`
}

/** A page without scripts, that nothing else may frame and nobody keeps. */
function page(reply: FastifyReply, status: number, heading: string, body: string): FastifyReply {
  const title = escapeHtml(heading)
  return reply
    .code(status)
    .header('cache-control', 'no-store')
    .header('referrer-policy', 'no-referrer')
    .header('x-content-type-options', 'nosniff')
    .header(
      'content-security-policy',
      "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    )
    .type('text/html; charset=utf-8')
    .send(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta name="robots" content="noindex"><title>Warden: ${title}</title>
<style>body{font:16px/1.5 sans-serif;max-width:40rem;margin:2rem auto;padding:0 1rem}input,button{font:inherit}</style>
</head><body><h1>${title}</h1>
${body}
</body></html>
`)
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}
const escapeHtml = (text: string): string =>
  text.replaceAll(/[&<>"']/g, (one) => entities[one] ?? one)
