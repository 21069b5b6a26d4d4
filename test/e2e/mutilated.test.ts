import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import fc from 'fast-check'
import { framingFor, jsonArray } from '../../lib/framing/index.js'
import { cutAt } from '../support/bytes.js'
import { type App, startApp } from './support/app.js'
import { connect } from './support/client.js'
import { type Provider, startProvider } from './support/provider.js'
import { allStreams, sendStream, streams, type WireStream } from './support/streams.js'

// One provider and one app for all: what one stream leaves behind would show in the next.
const cleanUps: (() => unknown)[] = []
const owner = { after: (run: unknown) => void cleanUps.push(run as () => unknown) }
let provider: Provider
const apps: App[] = []
before(async () => {
  provider = await startProvider(owner)
  const options = { target: provider.url, endpoints: 'all' as const, limits: { maxEventBytes: 100_000 } }
  apps.push(await startApp(owner, options))
  // Every event is parsed, and written anew.
  apps.push(await startApp(owner, { ...options, onEvent: ({ event, data }) => ({ event, data }) }))
  apps.push(await startApp(owner, { ...options, estimateTokens: ({ text }) => text.length }))
})
after(async () => {
  for (const run of cleanUps.reverse()) await run()
})

/** How the provider's side of it ends. */
type End = 'end' | 'reset'

/** What a client has got, of the body alone, and whether HTTP says that this is all. */
async function exchanged(app: App, stream: WireStream, chunks: readonly Buffer[], end: End) {
  const client = await connect({ after: () => {} }, app.port)
  client.post(`/ai${stream.path}`, stream.request)
  const call = sendStream(await provider.next(), stream, chunks)
  if (end === 'end') call.end()
  else call.reset()
  const record = await app.record()
  // The end of HTTP's body, or of the connection.
  const ending = await client.sees(/\r\n0\r\n\r\n/).then(
    () => 'whole',
    () => 'cut',
  )
  client.leave()
  return { body: dechunked(client.text), ending, record }
}

function dechunked(text: string): Buffer {
  let rest = Buffer.from(text.slice(text.indexOf('\r\n\r\n') + 4), 'latin1')
  const pieces: Buffer[] = []
  for (;;) {
    const lineEnd = rest.indexOf('\r\n')
    const size = Number.parseInt(rest.toString('latin1', 0, Math.max(0, lineEnd)), 16)
    if (!size) return Buffer.concat(pieces)
    pieces.push(rest.subarray(lineEnd + 2, lineEnd + 2 + size))
    rest = rest.subarray(lineEnd + 4 + size)
  }
}

/** Ways to spoil a row of frames. */
const deep = `${'['.repeat(10_000)}${']'.repeat(10_000)}`
const spoilers: Record<string, (frame: Buffer) => Buffer> = {
  'invalid UTF-8': (frame) => replaced(frame, Buffer.from('a'), Buffer.from([0xff, 0xc3])),
  'invalid JSON': (frame) => replaced(frame, Buffer.from('":'), Buffer.from('"!')),
  'deep JSON': (frame) => replaced(frame, Buffer.from('":'), Buffer.from(`":${deep},"x":`)),
  'a flipped bit': (frame) => {
    const copy = Buffer.from(frame)
    copy[Math.floor(copy.length / 2)]! ^= 4
    return copy
  },
}

/** The last of them, which stands in the payload, also where checksums guard it. */
function replaced(frame: Buffer, what: Buffer, by: Buffer): Buffer {
  const at = frame.lastIndexOf(what)
  return at === -1 ? frame : Buffer.concat([frame.subarray(0, at), by, frame.subarray(at + what.length)])
}

interface Mutation {
  app: number
  end: End
  truncateTo: number | null
  duplicate: number | null
  interleave: number | null
  spoil: [string, number] | null
  cuts: number[]
}

const mutation: fc.Arbitrary<Mutation> = fc.record({
  app: fc.nat(2),
  end: fc.constantFrom<End>('end', 'reset'),
  truncateTo: fc.option(fc.double({ min: 0, max: 1, noNaN: true }), { freq: 1 }),
  duplicate: fc.option(fc.nat(20), { freq: 1 }),
  interleave: fc.option(fc.nat(allStreams.length - 1), { freq: 1 }),
  spoil: fc.option(fc.tuple(fc.constantFrom(...Object.keys(spoilers)), fc.nat(20)), { freq: 1 }),
  cuts: fc.array(fc.nat(3000), { maxLength: 12 }),
})

/** The frames as they are, and as they are sent. */
function mutilated({ frames }: WireStream, how: Mutation): Buffer {
  let all = [...frames]
  if (how.duplicate !== null) all.splice(how.duplicate % all.length, 0, all[how.duplicate % all.length]!)
  if (how.interleave !== null) {
    const others = allStreams[how.interleave]!.frames
    all = all.flatMap((frame, at) => (others[at] ? [frame, others[at]] : [frame]))
  }
  if (how.spoil !== null) {
    const [name, at] = how.spoil
    all[at % all.length] = spoilers[name]!(all[at % all.length]!)
  }
  const body = Buffer.concat(all)
  return how.truncateTo === null ? body : body.subarray(0, Math.floor(body.length * how.truncateTo))
}

/** The frames of a body; what is left of it at its end is none. */
function framesIn(stream: WireStream, body: Buffer): string[] {
  const framing = stream === streams.geminiArray ? jsonArray : framingFor(stream.contentType)!
  const framer = framing.createFramer(Number.POSITIVE_INFINITY)
  const out = framer.push([body]) ?? Buffer.alloc(0)
  return framer.ends.map((end, at) => out.toString('latin1', framer.ends[at - 1] ?? 0, end))
}

describe('mutilated streams cause no crash, no hang and no partial event, and their record has the outcome', () => {
  for (const stream of allStreams) {
    test(stream.name, async () => {
      await fc.assert(
        fc.asyncProperty(mutation, async (how) => {
          const sent = mutilated(stream, how)
          const { body, ending, record } = await exchanged(apps[how.app]!, stream, cutAt(sent, how.cuts), how.end)

          // The hook wants to write anew what is too deep for the stack.
          const isTooDeep = how.app === 1 && how.spoil?.[0] === 'deep JSON'
          if (!isTooDeep) assert.notEqual(record.code, 'internal_error', record.error)
          assert.ok(
            record.outcome === 'completed' || record.outcome === 'upstream_error' || record.limit || isTooDeep,
            record.outcome,
          )
          assert.equal(record.status, 200)
          // Figures are final only where the answer came to its end, and said nothing of a failure.
          if (record.outcome !== 'completed' && record.usage) assert.equal(record.usage.estimated, true)
          if (record.outcome === 'completed') assert.equal(ending, 'whole')
          for (const count of Object.values(record.usage ?? {})) {
            assert.ok(typeof count === 'boolean' || (Number.isFinite(count) && count >= 0), `${count} tokens`)
          }
          // What was rewritten has other bytes, and is looked at elsewhere.
          if (how.app === 1) return
          const whole = framesIn(stream, sent)
          const got = framesIn(stream, body)
          const differs = got.findIndex((frame, at) => frame !== whole[at])
          const same = differs === -1 ? got.length : differs
          assert.ok(got.length - same <= 1, `one frame of ours at the most: ${JSON.stringify(got.slice(same))}`)
          // A connection that is cut takes with it what was still on its way.
          if (how.end === 'end' && !record.limit && ending === 'whole') {
            assert.ok(same >= whole.length, `${same} of ${whole.length} whole frames have come`)
          }
        }),
        { numRuns: 60, endOnFailure: true },
      )
    })
  }
})
