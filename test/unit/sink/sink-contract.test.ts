import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pointKey, supersedes } from '../../../src/sink/data-point.ts'
import { FileSink } from '../../../src/sink/file-sink.ts'
import { OpentsdbSink, opentsdbSinkOptions } from '../../../src/sink/opentsdb-sink.ts'
import type { DataPoint } from '../../../src/sink/sink.ts'
import { sinkContract } from '../../contract/sink.ts'
import { FakeOpentsdb } from '../../support/fake-opentsdb.ts'
import { MemorySink } from '../../support/memory-sink.ts'
import { VirtualClock } from '../../support/virtual-clock.ts'

sinkContract('the memory sink of the tests', {
  async medium() {
    const sink = new MemorySink(new VirtualClock())
    return {
      sink,
      stored: () => new Map([...sink.stored].map(([key, point]) => [key, point.value])),
      dispose: async () => {},
    }
  },
})

sinkContract('FileSink', {
  async medium() {
    const directory = mkdtempSync(join(tmpdir(), 'warden-file-sink-'))
    const path = join(directory, 'deep', 'points.jsonl')
    return {
      sink: new FileSink({ name: 'file', path }),
      stored: () => {
        const newest = new Map<string, DataPoint>()
        for (const line of readFileSync(path, 'utf8').split('\n').slice(0, -1)) {
          const point = JSON.parse(line) as DataPoint
          const known = newest.get(pointKey(point))
          if (known === undefined || supersedes(point, known)) newest.set(pointKey(point), point)
        }
        return new Map([...newest].map(([key, point]) => [key, point.value]))
      },
      dispose: async () => rmSync(directory, { recursive: true }),
    }
  },
})

for (const gzipFromBytes of [1, Number.POSITIVE_INFINITY]) {
  sinkContract(`OpentsdbSink (bodies ${gzipFromBytes === 1 ? 'compressed' : 'plain'})`, {
    async medium() {
      const server = new FakeOpentsdb()
      await server.start()
      return {
        sink: new OpentsdbSink(
          opentsdbSinkOptions({ name: 'tsdb', url: server.url, timeoutMs: 5_000, gzipFromBytes }),
        ),
        stored: () =>
          new Map(
            [...server.stored.values()].map((point) => [
              pointKey({ ...point, value: 0, incarnation: 0, revision: 0 }),
              Number(point.value),
            ]),
          ),
        dispose: () => server.stop(),
      }
    },
  })
}
