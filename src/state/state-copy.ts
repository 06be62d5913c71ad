/** What a copy of the state is of, read from the copy itself. */
export interface CopyFacts {
  readonly job: string
  /** Encoding of the state. */
  readonly format: number
  /** Number of the checkpoint it was taken after. */
  readonly checkpoint: number
  readonly incarnation: number
  /** Source → partition → where reading goes on. */
  readonly positions: Readonly<Record<string, Readonly<Record<string, CopiedPosition>>>>
}

/** Incarnation first, then checkpoint: an older state that is restored gets a larger incarnation. Times are those of several machines. */
export const isNewerCopy = (
  one: Pick<CopyFacts, 'incarnation' | 'checkpoint'>,
  than: Pick<CopyFacts, 'incarnation' | 'checkpoint'>,
): boolean =>
  one.incarnation === than.incarnation
    ? one.checkpoint > than.checkpoint
    : one.incarnation > than.incarnation

export interface CopiedPosition {
  readonly offset: number
  /** See `PartitionPosition.identity`. */
  readonly identity: string
}

export type CopyKind = 'savepoint' | 'replica'

/** A checksummed copy of a job's state as its manifest says; portable to another machine. */
export interface StateCopy extends CopyFacts {
  readonly manifest: 1
  readonly id: string
  readonly kind: CopyKind
  /** ISO 8601. */
  readonly createdAt: string
  /** The Warden that wrote it. */
  readonly version: string
  readonly files: readonly CopiedFile[]
}

export interface CopiedFile {
  readonly name: string
  readonly bytes: number
  /** Hexadecimal. */
  readonly sha256: string
}

/** A directory that looks like a copy and is none, or not any more. */
export interface BrokenCopy {
  readonly id: string
  readonly reason: string
}

/** Where the state of a running or stopped job can be copied from. */
export interface CopySource {
  /** Writes what the last commit left to a new file. */
  copyTo(path: string): Promise<void>
}
