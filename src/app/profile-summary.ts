import { WardenError } from '../core/errors.ts'

/** One function of a profile. */
export interface Hotspot {
  /** Function and where it is, `#count pipeline/lanes/metric-counter.js:192`. */
  readonly name: string
  /** Share of the time the thread was busy, 0…1. */
  readonly share: number
}

export interface ProfileSummary {
  /** Share of the time in which the thread did anything, 0…1. */
  readonly busy: number
  /** The most expensive first; self time, without what a function calls. */
  readonly top: readonly Hotspot[]
}

interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number
    readonly callFrame: {
      readonly functionName: string
      readonly url: string
      readonly lineNumber: number
    }
  }[]
  readonly samples?: readonly number[]
  /** Microseconds between samples. */
  readonly timeDeltas?: readonly number[]
}

/**
 * What a `.cpuprofile` says in short. Format: https://chromedevtools.github.io/devtools-protocol/tot/Profiler/#type-Profile
 * @param count functions wanted @throws WardenError `usage` when the text is none
 */
export function summaryOf(text: string, count: number): ProfileSummary {
  const { nodes, samples = [], timeDeltas = [] } = parsed(text)
  const names = new Map(nodes.map(({ id, callFrame }) => [id, nameOf(callFrame)]))
  const times = new Map<string, number>()
  let all = 0
  samples.forEach((sample, index) => {
    const name = names.get(sample) ?? '(unknown)'
    const time = Math.max(0, timeDeltas[index] ?? 0)
    all += time
    times.set(name, (times.get(name) ?? 0) + time)
  })
  const idle = times.get('(idle)') ?? 0
  times.delete('(idle)')
  const busy = all - idle
  const top = [...times].sort((a, b) => b[1] - a[1]).slice(0, count)
  return {
    busy: all === 0 ? 0 : busy / all,
    top: top.map(([name, time]) => ({ name, share: time / busy })),
  }
}

function parsed(text: string): CpuProfile {
  let profile: Partial<CpuProfile> | undefined
  try {
    profile = JSON.parse(text)
  } catch (cause) {
    throw new WardenError('usage', 'this is no CPU profile', { cause })
  }
  if (!Array.isArray(profile?.nodes)) throw new WardenError('usage', 'this is no CPU profile')
  return profile as CpuProfile
}

function nameOf(frame: CpuProfile['nodes'][number]['callFrame']): string {
  const name = frame.functionName === '' ? '(anonymous)' : frame.functionName
  if (frame.url === '') return name
  return `${name} ${frame.url.split('/').slice(-3).join('/')}:${frame.lineNumber + 1}`
}
