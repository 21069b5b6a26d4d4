import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { AiProxyOptions } from '../../lib/index.js'
import { finished } from '../e2e/support/finished-streams.js'
import { allStreams, beforeTheEnd, chatChunk, sseEvent, streams, type WireStream } from '../e2e/support/streams.js'
import { type ProviderResponse, rig } from './controlling.js'

type Rig = ReturnType<typeof rig>
type Limits = NonNullable<AiProxyOptions['limits']>

/** Ways in which a stream ends that has no end of its own, and their codes in a stream that is not complete. */
const endless: [
  how: string,
  code: string,
  limits: Limits,
  act: (rig: Rig, response: ProviderResponse) => Promise<void>,
][] = [
  ['its connection breaks', 'upstream_reset', {}, async ({ run }, response) => reset(run, response)],
  [
    'its connection breaks in the middle of an event',
    'upstream_reset',
    {},
    async ({ run }, response) => {
      response.write('data: {"ha')
      await run()
      await reset(run, response)
    },
  ],
  ['nothing more comes', 'idle_timeout', { idleTimeoutMs: 100 }, ({ advance }) => advance(100)],
  [
    'nothing but comments comes',
    'progress_timeout',
    { progressTimeoutMs: 100 },
    async ({ advance, run }, response) => {
      response.write(': ping\n\n')
      await run()
      await advance(100)
    },
  ],
  ['it lasts too long', 'stream_too_long', { maxStreamDurationMs: 100 }, ({ advance }) => advance(100)],
]

async function reset(run: () => Promise<void>, response: ProviderResponse): Promise<void> {
  response.destroy(new Error('socket hang up'))
  await run()
}

const isSse = ({ contentType }: WireStream) => contentType.startsWith('text/event-stream')

describe('a stream that has a finish reason is complete, however it ends', () => {
  for (const [what, stream, frames] of finished) {
    for (const [how, , limits, act] of endless) {
      // Half an event, or a comment, as server-sent events have them.
      if (!isSse(stream) && /event|comments/.test(how)) continue
      test(`${what}: ${how}`, async (t) => {
        // Those with a last message end after the grace period.
        const one = rig(t, { path: stream.path, limits: { ...limits, terminatorGraceMs: 100 } })
        const response = await one.answer({ 'content-type': stream.contentType }, Buffer.concat(frames))
        await act(one, response)
        assert.equal(one.res.writableEnded, true)
        const sent = one.res.body.replaceAll(': ping\n\n', '')
        assert.equal(sent, Buffer.concat(frames).toString(isSse(stream) ? 'utf8' : 'latin1'))
        one.res.finish()
        const { outcome, code } = one.ended()
        assert.deepEqual([outcome, code], ['completed', undefined])
      })
    }
  }

  for (const [what, frames, isEstimated] of [
    ['is exact if it was reported', streams.chat.frames.slice(0, -1), false],
    ['is estimated if it was not', streams.chat.frames.slice(0, -2), true],
  ] as const) {
    test(`its usage ${what}`, async (t) => {
      const { exchange, answer, run, res } = rig(t)
      const response = await answer({ 'content-type': 'text/event-stream' }, Buffer.concat(frames))
      await reset(run, response)
      res.finish()
      assert.equal(exchange.answer.usageAt(exchange.isComplete)?.estimated, isEstimated)
    })
  }
})

describe('a stream without a finish reason is not', () => {
  for (const stream of allStreams) {
    for (const [how, code, limits, act] of endless) {
      if (!isSse(stream) && /event|comments/.test(how)) continue
      test(`${stream.name}: ${how}`, async (t) => {
        const one = rig(t, { path: stream.path, limits })
        one.exchange.describe(undefined, true)
        const response = await one.answer({ 'content-type': stream.contentType }, Buffer.concat(beforeTheEnd(stream)))
        await act(one, response)
        one.res.finish()
        assert.equal(one.ended().code, code)
      })
    }
  }
})

const geminiPart = (part: object, finishReason?: string) =>
  sseEvent({ candidates: [{ content: { parts: [part] }, ...(finishReason && { finishReason }) }] })
const gemini = (text: string, finishReason?: string) => geminiPart({ text }, finishReason)
const choice = (index: number, content: string, finish_reason: string | null = null) =>
  chatChunk([{ index, delta: { content }, finish_reason }])

describe('a finish reason does not complete a stream that breaks', () => {
  const manyChoices = Array(8).fill(choice(0, ' word'))
  const inAllMessages = Array.from({ length: 8 }, (_, at) => gemini(` word ${at}`, 'STOP'))
  const streamsThatGoOn: [what: string, path: string, frames: readonly Buffer[]][] = [
    ['if each message has one', streams.geminiSse.path, inAllMessages],
    ['if text follows it', streams.geminiSse.path, [gemini('a', 'STOP'), ...Array(8).fill(gemini(' word'))]],
    [
      'if a tool call follows it',
      streams.geminiSse.path,
      [gemini('a', 'STOP'), geminiPart({ functionCall: { name: 'f' } })],
    ],
    [
      'if a picture follows it',
      streams.geminiSse.path,
      [gemini('a', 'STOP'), geminiPart({ inlineData: { data: 'AA' } })],
    ],
    [
      'if text follows the ends of several choices',
      streams.chat.path,
      [choice(0, 'a', 'stop'), choice(1, 'b', 'stop'), choice(1, 'c'), choice(1, '', 'stop')],
    ],
    [
      'if much text follows it, most of it in messages that are not parsed',
      streams.chat.path,
      [choice(0, 'a'), choice(0, 'b'), chatChunk([{ index: 0, delta: {}, finish_reason: 'stop' }]), ...manyChoices],
    ],
    ['of one of several choices', streams.chat.path, [choice(0, 'a'), choice(1, 'b'), choice(0, '', 'stop')]],
  ]
  for (const [what, path, frames] of streamsThatGoOn) {
    for (const apart of [false, true]) {
      test(`${what}${apart ? ', events apart' : ''}`, async (t) => {
        const { answer, run, res, ended } = rig(t, { path })
        const response = await answer({ 'content-type': 'text/event-stream' }, apart ? '' : Buffer.concat(frames))
        for (const frame of apart ? frames : []) {
          response.write(frame)
          await run()
        }
        await reset(run, response)
        res.finish()
        assert.equal(ended().code, 'upstream_reset')
      })
    }
  }

  test('if its array is not closed: that is no JSON', async (t) => {
    const { geminiArray } = streams
    const { exchange, answer, run, res, ended } = rig(t, { path: geminiArray.path })
    exchange.describe(undefined, true)
    // An element is whole once it is known whether another one follows.
    const open = Buffer.concat([...geminiArray.frames.slice(0, -1), Buffer.from('\n,')])
    const response = await answer({ 'content-type': geminiArray.contentType }, open)
    await reset(run, response)
    res.finish()
    assert.deepEqual([exchange.answer.isComplete, ended().code], [true, 'upstream_reset'])
  })
})

describe('a stream of several choices is complete if it breaks', () => {
  const end = (index: number) => chatChunk([{ index, delta: {}, finish_reason: 'stop' }])
  const words = (index: number) => Array(8).fill(choice(index, ' word'))
  for (const [what, frames] of [
    ['whose texts and finish reasons are in the same messages', [choice(0, 'a', 'stop'), choice(1, 'b', 'stop')]],
    ['interleaved', [choice(0, 'a'), choice(1, 'b'), choice(0, 'c', 'stop'), choice(1, 'd', 'stop')]],
    ['one after the other', [...words(0), end(0), ...words(1), end(1)]],
  ] as const) {
    test(what, async (t) => {
      const { answer, run, res, ended } = rig(t, { path: streams.chat.path })
      const response = await answer({ 'content-type': 'text/event-stream' }, Buffer.concat(frames))
      await reset(run, response)
      res.finish()
      assert.equal(ended().outcome, 'completed')
    })
  }
})

describe('a stream whose only message has text and a finish reason', () => {
  test('is complete if it breaks', async (t) => {
    const { answer, run, res, ended } = rig(t, { path: streams.geminiSse.path })
    const response = await answer({ 'content-type': 'text/event-stream' }, gemini('Hello', 'STOP'))
    await reset(run, response)
    res.finish()
    assert.equal(ended().outcome, 'completed')
  })
})
