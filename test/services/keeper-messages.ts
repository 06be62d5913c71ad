/** What a test process tells the keeper of its services. */
export type KeeperRequest =
  | {
      readonly kind: 'start'
      /** Name of the process among those of this keeper; free again when it has exited. */
      readonly id: string
      readonly command: string
      readonly args: readonly string[]
      readonly cwd: string
      readonly env: Readonly<Record<string, string>>
      /** Standard output and error are appended to it. */
      readonly logFile: string
    }
  | { readonly kind: 'signal'; readonly id: string; readonly signal: NodeJS.Signals }
  /** Kill what runs, remove the directory, exit. The end of the test process means the same. */
  | { readonly kind: 'end' }

/** What the keeper answers. */
export type KeeperReport =
  | { readonly kind: 'started'; readonly id: string; readonly pid: number }
  /** `code` and `signal` are null when the process could not be started; `reason` then says why. */
  | {
      readonly kind: 'exited'
      readonly id: string
      readonly code: number | null
      readonly signal: NodeJS.Signals | null
      readonly reason: string | undefined
    }
