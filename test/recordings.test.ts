import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import type { ExchangeRecord } from '../lib/index.js'
import { startApp } from './e2e/support/app.js'
import { type Owner, startProvider } from './e2e/support/provider.js'
import { isKnown, type Recording, recordingOf } from './e2e/support/recordings.js'
import { assertTold } from './e2e/support/streams.js'
import { piecesOf } from './support/bytes.js'

const folder = process.env.RECORDINGS
const skip = folder ? false : 'the environment variable RECORDINGS names no folder of recorded streams'
const files = folder ? readdirSync(folder).filter((name) => name.endsWith('.chunks.txt')) : []
const recordings = files.map((name) => recordingOf(name, readFileSync(join(folder!, name), 'utf8')))

/** Sends the frames through the proxy, cut into chunks of that size. */
async function passed(
  t: Owner,
  { path, request, contentType }: Recording,
  frames: readonly Buffer[],
  size: number,
): Promise<{ received: Buffer; record: ExchangeRecord }> {
  const provider = await startProvider(t, {
    onCall: (call) => {
      call.res.writeHead(200, { 'content-type': contentType })
      for (const piece of piecesOf(Buffer.concat(frames), size)) call.send(piece)
      call.end()
    },
  })
  const app = await startApp(t, { target: provider.url })
  const response = await fetch(app.url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(request),
  })
  return { received: Buffer.from(await response.arrayBuffer()), record: await app.record() }
}

describe('recorded streams of real providers', () => {
  for (const recording of recordings) {
    for (const size of [1, 7, 1000]) {
      test(`${recording.name}, ${size} bytes per chunk: passes unchanged, with the usage that it reports`, async (t) => {
        const { received, record } = await passed(t, recording, recording.frames, size)
        assert.equal(received.toString('latin1'), Buffer.concat(recording.frames).toString('latin1'))
        const { format, told } = recording
        assertTold(record, { ...told, format, outcome: 'completed', events: recording.frames.length })
      })
    }
  }

  test('every file belongs to a known family', { skip }, () => {
    assert.ok(files.length > 0, `there are no recordings in ${folder}`)
    for (const name of files) assert.ok(isKnown(name), name)
  })
})

describe('the error of the default estimate', () => {
  const rows: string[] = []
  for (const recording of recordings) {
    test(recording.name, async (t) => {
      // As if the stream had ended before its figures: one chunk a frame, and frames as the network may join them.
      const estimates: number[] = []
      for (const size of [100, 100_000]) {
        const { record } = await passed(t, recording, recording.framesWithoutUsage, size)
        // Where nothing was written that we see, nothing is known.
        assert.notEqual(record.usage?.estimated, false)
        estimates.push(record.usage?.outputTokens ?? 0)
      }
      const { streamedTokens: truth, note } = recording
      const errors = estimates.map((estimate) => `${estimate} (${percent(estimate / truth - 1)})`)
      rows.push(`| ${recording.name} | ${truth} | ${errors.join(' | ')} | ${note} |`)
    })
  }
  after(() => {
    if (rows.length === 0) return
    const head =
      '| recording | true output tokens | estimate, small chunks | estimate, at once | |\n| --- | --- | --- | --- | --- |'
    console.log(`${head}\n${rows.join('\n')}`)
  })
})

function percent(share: number): string {
  return `${share > 0 ? '+' : ''}${Math.round(share * 100)} %`
}
