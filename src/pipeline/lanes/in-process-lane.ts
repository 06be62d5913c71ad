import type { LaneLink } from './lane-link.ts'
import type { FromLane } from './lane-messages.ts'
import { LaneRunner, type RunnerParts } from './lane-runner.ts'

type OwnParts = Omit<RunnerParts, 'toMain' | 'toLane'>

/** Lanes that run in this thread, in turn. */
export function inProcessLanes(parts: readonly OwnParts[]): readonly LaneLink[] {
  const runners: LaneRunner[] = []
  const links = parts.map((): InProcessLink => new InProcessLink())
  parts.forEach((own, from) => {
    const runner = new LaneRunner({
      ...own,
      toMain: (message) => links[from]?.onMessage(message),
      toLane: (to, message) => runners[to]?.receiveFrom(from, message),
    })
    runners.push(runner)
    links[from]?.attach(runner)
  })
  return links
}

class InProcessLink implements LaneLink {
  onMessage: (message: FromLane) => void = () => {}
  #runner: LaneRunner | undefined

  attach(runner: LaneRunner): void {
    this.#runner = runner
  }

  send(message: Parameters<LaneLink['send']>[0]): void {
    this.#runner?.receive(message)
  }

  async stop(): Promise<void> {
    await this.#runner?.stop()
  }

  async close(): Promise<void> {
    await this.#runner?.close()
  }
}
