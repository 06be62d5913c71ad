import assert from 'node:assert/strict'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { parseConfig } from '../../../src/config/load.ts'
import { ConfigError } from '../../../src/config/problem.ts'

const directory = fileURLToPath(new URL('../../golden/config/', import.meta.url))
/** `UPDATE_GOLDEN=1` writes the messages as they are now; read the diff before you commit it. */
const update = process.env.UPDATE_GOLDEN === '1'

/** Every bad config lies beside the message it must give: file:line:column, what is wrong, what would be right. */
describe('a bad config', () => {
  const files = readdirSync(directory).filter((name) => name.endsWith('.yaml'))

  for (const file of files) {
    it(`is told exactly what is wrong: ${file}`, () => {
      const messages = `${messageOf(file)}\n`
      const golden = directory + file.replace(/\.yaml$/, '.expected')
      if (update) writeFileSync(golden, messages)
      assert.equal(messages, readFileSync(golden, 'utf8'))
    })
  }

  it('has no message without a config', () => {
    const named = new Set(files.map((name) => name.replace(/\.yaml$/, '')))
    const expected = readdirSync(directory).filter((name) => name.endsWith('.expected'))
    assert.deepEqual(
      expected.filter((name) => !named.has(name.replace(/\.expected$/, ''))),
      [],
    )
  })
})

function messageOf(file: string): string {
  try {
    parseConfig(readFileSync(directory + file, 'utf8'), {
      file,
      directory,
      env: { WORD: 'plenty' },
      readFile: (path) => readFileSync(path, 'utf8'),
    })
  } catch (error) {
    if (error instanceof ConfigError) return error.message.replaceAll(directory, '')
    throw error
  }
  return 'nothing is wrong'
}
