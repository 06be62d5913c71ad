import type { FromLane, ToLane } from './lane-messages.ts'

/** Port: a lane as the main half sees it, in this thread or in another. */
export interface LaneLink {
  /** Set once, before anything is sent. */
  onMessage: (message: FromLane) => void
  send(message: ToLane): void
  /** Ends its loop; the source stays open for what comes after the last checkpoint. */
  stop(): Promise<void>
  /** Closes its source; resolves when it is gone. Never rejects. */
  close(): Promise<void>
}
