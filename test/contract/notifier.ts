import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Notifier } from '../../src/alert/notify/notifier.ts'
import { messageOf } from '../support/message-style.ts'
import { notification } from '../support/notifications.ts'

/**
 * What the receiver does: takes a message, refuses it for good, does not know Warden (address, log-in, keyword), has no room now, says nothing,
 * takes the message and closes the connection without an answer, or fails in itself.
 */
export type ReceiverMood = 'well' | 'refuses' | 'unknown' | 'busy' | 'hangs' | 'closes' | 'fails'

/** A receiver outside of Warden, and what brings messages to it. */
export interface NotifierMedium {
  /** Waits `timeoutIn(mood)` for an answer. */
  readonly notifier: Notifier
  /** What was handed over, as the receiver can read it, in order. */
  taken(): readonly string[]
  /** Part of the address or log-in that nobody may read in a reason. */
  readonly secret: string
  dispose(): Promise<void>
}

export interface NotifierHarness {
  medium(mood: ReceiverMood): Promise<NotifierMedium>
  /** By what the receiver can tell that it has the message already. */
  readonly tellsRepeatBy: 'mark' | 'identity'
}

/** How long a notifier of the suite waits, ms: who answers has time to, on a busy machine too. */
export const timeoutIn = (mood: ReceiverMood): number => (mood === 'hangs' ? 1_500 : 30_000)

/** What every notifier promises; see `Notifier`. */
export function notifierContract(name: string, harness: NotifierHarness): void {
  describe(`${name} keeps the contract of a notifier`, () => {
    const claim = (
      text: string,
      mood: ReceiverMood,
      check: (medium: NotifierMedium) => Promise<void>,
    ) => {
      it(text, async () => {
        const medium = await harness.medium(mood)
        try {
          await check(medium)
        } finally {
          await medium.notifier.close()
          await medium.dispose()
        }
      })
    }
    const one = notification({ id: 'n-17' })
    const send = (medium: NotifierMedium, signal = new AbortController().signal) =>
      medium.notifier.send(messageOf([one]), 0, signal)

    claim(
      'what it calls sent is with the receiver, and can be told apart',
      'well',
      async (medium) => {
        assert.deepEqual(await send(medium), { kind: 'sent' })
        assert.equal(medium.taken().length, 1)
        assert.match(medium.taken()[0] ?? '', /inc-1|n-17/)
      },
    )

    claim('all that it puts into one message is with the receiver', 'well', async (medium) => {
      const many = Array.from({ length: 30 }, (_, i) =>
        notification({ id: `n-${i}`, group: { ...one.group, rule: `rule-${i}` } }),
      )
      const count = medium.notifier.batch(many, 0)
      assert.ok(count >= 1 && count <= many.length)
      const batch = many.slice(0, count)
      const never = new AbortController().signal
      assert.deepEqual(await medium.notifier.send(messageOf(batch), 0, never), { kind: 'sent' })
      assert.equal(medium.taken().length, 1)
    })

    claim('a message that the receiver will never take is refused', 'refuses', async (medium) => {
      assert.equal((await send(medium)).kind, 'refused')
    })

    claim('a receiver that is set up wrongly is blocked', 'unknown', async (medium) => {
      const result = await send(medium)
      assert.equal(result.kind, 'blocked')
      assert.ok('reason' in result && !result.reason.includes(medium.secret))
    })

    claim('a receiver without room is asked again, which is no repeat', 'busy', async (medium) => {
      const result = await send(medium)
      assert.equal(result.kind, 'again')
      assert.equal(result.kind === 'again' && result.unknown, false)
    })

    for (const mood of ['hangs', 'closes', 'fails'] as const) {
      claim(`when it ${mood} nobody knows whether the message was taken`, mood, async (medium) => {
        const startedAt = performance.now()
        const result = await send(medium)
        assert.equal(result.kind, 'again')
        assert.equal(result.kind === 'again' && result.unknown, true)
        assert.ok('reason' in result && !result.reason.includes(medium.secret))
        assert.ok(performance.now() - startedAt < 20_000)
      })
    }

    claim('a receiver that is away has taken nothing', 'well', async (medium) => {
      await medium.dispose()
      const result = await send(medium)
      assert.equal(result.kind, 'again')
      assert.equal(result.kind === 'again' && result.unknown, false)
      assert.ok('reason' in result && !result.reason.includes(medium.secret))
    })

    claim('a stop ends an attempt at once, and throws nothing', 'hangs', async (medium) => {
      const stop = new AbortController()
      const sending = send(medium, stop.signal)
      stop.abort()
      assert.equal((await sending).kind, 'again')
    })

    claim('the same message again can be told from a new one', 'well', async (medium) => {
      const never = new AbortController().signal
      for (const mayBeRepeat of [false, true]) {
        await medium.notifier.send(messageOf([one], { mayBeRepeat }), 0, never)
      }
      const [first = '', second = ''] = medium.taken()
      if (harness.tellsRepeatBy === 'mark') {
        assert.doesNotMatch(first, /may be a repeat|mayBeRepeat":true/)
        assert.match(second, /may be a repeat|mayBeRepeat":true/)
      } else assert.equal(second, first)
    })
  })
}
