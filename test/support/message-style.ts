import type { Notification } from '../../src/alert/notification.ts'
import type { MessageStyle } from '../../src/alert/notify/message/message-style.ts'
import { TimeText } from '../../src/alert/notify/message/time-text.ts'
import { wordsOf } from '../../src/alert/notify/message/words.ts'
import type { Message } from '../../src/alert/notify/notifier.ts'

/** English, Shanghai, nothing of the user's own. */
export const plainStyle: MessageStyle = {
  job: 'lending',
  words: wordsOf.en,
  times: new TimeText('Asia/Shanghai'),
  title: undefined,
  summary: undefined,
  dashboard: undefined,
  links: undefined,
  keyword: undefined,
}

export function messageOf(
  notifications: readonly Notification[],
  overrides: Partial<Message> = {},
): Message {
  return {
    id: notifications.map(({ id }) => id).join('+'),
    notifications,
    mayBeRepeat: false,
    dropped: 0,
    plain: false,
    ...overrides,
  }
}
