/** Reads all imports of src/ and judges them by .dependency-cruiser.cjs. */
import { execFile } from 'node:child_process'
import { filesUnder } from './source-files.ts'
import { root } from './test-run.ts'

export interface Cruise {
  /** Each import within src/, by file from the root of the checkout. */
  readonly imports: readonly { readonly from: string; readonly to: string }[]
  /** One line for each broken rule: the rule, the import, what the rule is for. */
  readonly violations: readonly string[]
}

interface CruiserOutput {
  readonly modules: readonly {
    readonly source: string
    readonly dependencies: readonly { readonly resolved: string }[]
  }[]
  readonly summary: {
    readonly violations: readonly {
      readonly from: string
      readonly to: string
      readonly rule: { readonly name: string }
      readonly cycle?: readonly { readonly name: string }[]
    }[]
    readonly ruleSetUsed: {
      readonly forbidden: readonly { readonly name: string; readonly comment: string }[]
    }
  }
}

/** @param directory a checkout: holds src/, tsconfig.json and .dependency-cruiser.cjs */
export async function cruise(directory: string = root): Promise<Cruise> {
  const output = await cruiserOutput(directory)
  const seen = new Set(output.modules.map((module) => module.source))
  const unseen = filesUnder(directory, 'src', '.ts').filter((file) => !seen.has(file))
  const comments = new Map(output.summary.ruleSetUsed.forbidden.map((r) => [r.name, r.comment]))
  return {
    imports: output.modules.flatMap(({ source, dependencies }) =>
      dependencies.map((dependency) => ({ from: source, to: dependency.resolved })),
    ),
    violations: [
      ...output.summary.violations.map(({ rule, from, to, cycle }) => {
        const path = cycle === undefined ? to : cycle.map((one) => one.name).join(' → ')
        return `${rule.name}: ${from} → ${path}\n    ${comments.get(rule.name) ?? ''}`
      }),
      // A compiler that the tool does not know makes it see nothing, and find nothing wrong.
      ...unseen.map((file) => `not seen by dependency-cruiser: ${file}`),
    ],
  }
}

function cruiserOutput(directory: string): Promise<CruiserOutput> {
  const tool = `${root}node_modules/dependency-cruiser/bin/dependency-cruise.mjs`
  const args = [tool, 'src', '--config', '.dependency-cruiser.cjs', '--output-type', 'json']
  return new Promise((resolve, reject) => {
    execFile(
      process.execPath,
      args,
      { cwd: directory, maxBuffer: 1 << 28 },
      (error, stdout, stderr) => {
        if (stdout.startsWith('{')) resolve(JSON.parse(stdout))
        else reject(new Error(`dependency-cruiser gave no result: ${stderr}`, { cause: error }))
      },
    )
  })
}
