import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Annotation } from '../annotation.ts'
import { UTC } from '../query/calendar.ts'
import { count, isJsonObject, text, unparsable } from '../query/query-json.ts'
import { parseQueryTime } from '../query/query-time.ts'
import { RequestRefused } from '../request-refused.ts'
import {
  bodyJson,
  bodyText,
  parameter,
  replyJson,
  required,
  route,
  type StoreApiContext,
} from './http-exchange.ts'

/** The fields of a note that a request gives; the others keep what is stored. */
interface AnnotationChange {
  readonly tsuid: string
  readonly startTime: number
  readonly endTime: number | undefined
  readonly description: string | undefined
  readonly notes: string | undefined
  readonly custom: Readonly<Record<string, string>> | undefined
}

/** /api/annotation, /api/annotation/bulk and /api/annotations (global ones in a range). */
export function registerAnnotations(server: FastifyInstance, context: StoreApiContext): void {
  const { store, clock, limits } = context

  async function requested(request: FastifyRequest): Promise<AnnotationChange> {
    if ((await bodyText(request, limits.inflatedBytes)).trim() === '') {
      return changeOfParameters(request, clock.now())
    }
    return changeOfJson(await bodyJson(request, limits.inflatedBytes))
  }

  /** @param whole fields that are not given are emptied, not kept */
  async function save(change: AnnotationChange, whole: boolean): Promise<Annotation> {
    if (change.startTime < 1) {
      throw new RequestRefused(400, 'The start timestamp has not been set')
    }
    const stored = whole ? undefined : store.annotation(change.tsuid, change.startTime)
    const annotation: Annotation = {
      tsuid: change.tsuid,
      description: change.description ?? stored?.description ?? '',
      notes: change.notes ?? stored?.notes ?? '',
      ...optionalCustom(change.custom ?? stored?.custom),
      startTime: change.startTime,
      endTime: change.endTime ?? stored?.endTime ?? 0,
    }
    await store.putAnnotation(annotation)
    return annotation
  }

  const saving =
    (whole: boolean) =>
    async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> =>
      replyJson(reply, 200, JSON.stringify(await save(await requested(request), whole)))

  route(server, '/api/annotation', {
    GET: async (request, reply) => {
      const { tsuid, startTime } = await requested(request)
      const found = store.annotation(tsuid, startTime)
      if (found === undefined) {
        throw new RequestRefused(404, 'Unable to locate annotation in storage')
      }
      return replyJson(reply, 200, JSON.stringify(found))
    },
    POST: saving(false),
    PUT: saving(true),
    DELETE: async (request, reply) => {
      const { tsuid, startTime } = await requested(request)
      if (startTime < 1) throw new RequestRefused(400, 'Unable to delete Annotation information')
      await store.removeAnnotation(tsuid, startTime)
      return reply.code(204).send()
    },
  })

  const savingBulk =
    (whole: boolean) =>
    async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
      const body = await bodyJson(request, limits.inflatedBytes)
      if (!Array.isArray(body)) throw unparsable('a list of annotations is expected')
      const saved: Annotation[] = []
      for (const change of body.map(changeOfJson)) saved.push(await save(change, whole))
      return replyJson(reply, 200, JSON.stringify(saved))
    }

  route(server, '/api/annotation/bulk', { POST: savingBulk(false), PUT: savingBulk(true) })

  route(server, '/api/annotations', {
    GET: async (request, reply) => {
      const nowMs = clock.now()
      const fromMs = parseQueryTime(required(request, 'start_time'), nowMs, UTC)
      const end = parameter(request, 'end_time')
      const toMs = end ? parseQueryTime(end, nowMs, UTC) : nowMs
      return replyJson(reply, 200, JSON.stringify(store.annotations('', fromMs, toMs)))
    },
  })
}

function optionalCustom(
  custom: Readonly<Record<string, string>> | undefined,
): Pick<Annotation, 'custom'> {
  return custom === undefined ? {} : { custom }
}

function changeOfParameters(request: FastifyRequest, nowMs: number): AnnotationChange {
  const seconds = (name: string): number | undefined => {
    const value = parameter(request, name)
    return value ? Math.floor(parseQueryTime(value, nowMs, UTC) / 1_000) : undefined
  }
  const startTime = seconds('start_time')
  if (startTime === undefined) throw new RequestRefused(400, 'Missing start time')
  return {
    tsuid: parameter(request, 'tsuid')?.toUpperCase() ?? '',
    startTime,
    endTime: seconds('end_time'),
    description: parameter(request, 'description'),
    notes: parameter(request, 'notes'),
    custom: undefined,
  }
}

function changeOfJson(body: unknown): AnnotationChange {
  if (!isJsonObject(body)) throw unparsable('an annotation is an object')
  const { custom } = body
  if (custom !== undefined && custom !== null && !isJsonObject(custom)) {
    throw unparsable('"custom" is an object')
  }
  return {
    tsuid: text(body, 'tsuid')?.toUpperCase() ?? '',
    startTime: count(body, 'startTime') ?? 0,
    endTime: count(body, 'endTime'),
    description: text(body, 'description'),
    notes: text(body, 'notes'),
    custom: isJsonObject(custom)
      ? Object.fromEntries(Object.keys(custom).map((key) => [key, text(custom, key) ?? '']))
      : undefined,
  }
}
