import { WardenError } from '../../core/errors.ts'
import { type EpochMs, epochMs } from '../../core/time.ts'
import type { Notification } from '../notification.ts'

/**
 * How notifications and the progress of receivers lie in the state: `1 ` and JSON, so that a person can read it.
 * Keys: `notice/<position>`, `notice-receiver/<name>`, `notice-watchdog`.
 */
export const noticePrefix = 'notice/'
export const noticeEnd = 'notice0'
export const receiverPrefix = 'notice-receiver/'
export const receiverEnd = 'notice-receiver0'

export const noticeKey = (position: number): string =>
  `${noticePrefix}${position.toString(16).padStart(16, '0')}`

export const positionOf = (key: string): number =>
  Number.parseInt(key.slice(noticePrefix.length), 16)

export const receiverKey = (receiver: string): string =>
  `${receiverPrefix}${encodeURIComponent(receiver)}`

export const receiverOf = (key: string): string =>
  decodeURIComponent(key.slice(receiverPrefix.length))

/** How far one receiver is. */
export interface Progress {
  /** Position of the next notification that it has not acknowledged. */
  readonly position: number
  /** Positions from `position` on, before `end`, are being sent as one message since `at`; undefined: nothing is. */
  readonly attempt: { readonly end: number; readonly at: EpochMs } | undefined
  /** Notifications given up since the last message that told of it. */
  readonly dropped: number
}

export const encodeNotice = (notification: Notification): Uint8Array => encode(notification)

/** @throws WardenError `state_corrupt` */
export function decodeNotice(bytes: Uint8Array, key: string): Notification {
  const value = decode(bytes, key)
  if (!isRecord(value) || typeof value.id !== 'string' || !Array.isArray(value.receivers)) {
    throw corrupt(key)
  }
  // Written by encodeNotice; fields that were undefined are missing, which reads the same.
  return value as unknown as Notification
}

export const encodeProgress = (progress: Progress): Uint8Array => encode(progress)

/** @throws WardenError `state_corrupt` */
export function decodeProgress(bytes: Uint8Array, key: string): Progress {
  const value = decode(bytes, key)
  if (!isRecord(value)) throw corrupt(key)
  const { position, attempt, dropped } = value
  if (!isPosition(position) || !isPosition(dropped)) throw corrupt(key)
  if (attempt === undefined) return { position, attempt: undefined, dropped }
  if (!isRecord(attempt) || !isPosition(attempt.end) || typeof attempt.at !== 'number') {
    throw corrupt(key)
  }
  return { position, attempt: { end: attempt.end, at: epochMs(attempt.at) }, dropped }
}

/** Any JSON under a version. */
export function encode(value: unknown): Uint8Array {
  return new TextEncoder().encode(`1 ${JSON.stringify(value)}`)
}

/** @throws WardenError `state_corrupt` */
export function decode(bytes: Uint8Array, key: string): unknown {
  const text = new TextDecoder().decode(bytes)
  if (!text.startsWith('1 ')) throw corrupt(key)
  try {
    return JSON.parse(text.slice(2)) as unknown
  } catch (cause) {
    throw corrupt(key, cause)
  }
}

function corrupt(key: string, cause?: unknown): WardenError {
  return new WardenError('state_corrupt', `${key} can't be read`, { cause })
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isPosition(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}
