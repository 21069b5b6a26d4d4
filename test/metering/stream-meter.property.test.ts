import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { UsageAccumulator } from '../../lib/exchange/usage-accumulator.js'
import { type FormatName, formatNames, getFormat } from '../../lib/formats/index.js'
import { awsEventStream } from '../../lib/framing/aws-event-stream.js'
import { type Framing, jsonArray, sse } from '../../lib/framing/index.js'
import { ndjson } from '../../lib/framing/ndjson.js'
import { StreamMeter } from '../../lib/metering/stream-meter.js'
import { cutAt } from '../support/bytes.js'
import { chunk, DONE, event, passed, stop, usageEvent } from './passing.js'

interface Sample {
  readonly format: FormatName
  readonly framing: Framing
  readonly body: Buffer
}

const times = (count: number, make: (at: number) => string) =>
  Array.from({ length: count }, (_, at) => make(at)).join('')
const line = (value: unknown) => `${JSON.stringify(value)}\n`
const delta = (text: string) => ({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text } })

const samples: Sample[] = [
  {
    format: 'openai-chat',
    framing: sse,
    body: Buffer.from(`: hi\n\n${chunk('')}${times(12, (at) => chunk(`wörd ${at}`))}${stop}${usageEvent(13)}${DONE}`),
  },
  {
    format: 'anthropic',
    framing: sse,
    body: Buffer.from(
      `${event({ type: 'message_start', message: { id: 'm', usage: { input_tokens: 9, output_tokens: 1 } } })}${times(
        12,
        (at) => `event: content_block_delta\r\n${event(delta(`w ${at}`)).replaceAll('\n', '\r\n')}`,
      )}${event({ type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage: { output_tokens: 13 } })}`,
    ),
  },
  {
    format: 'ollama-chat',
    framing: ndjson,
    body: Buffer.from(
      times(12, (at) => line({ message: { content: `w${at}` }, done: false })) +
        line({ done: true, done_reason: 'stop', prompt_eval_count: 9, eval_count: 13 }),
    ),
  },
  {
    format: 'gemini',
    framing: jsonArray,
    body: Buffer.from(
      JSON.stringify(
        Array.from({ length: 12 }, (_, at) => ({
          candidates: [{ content: { parts: [{ text: 'w' }] }, ...(at === 11 && { finishReason: 'STOP' }) }],
          usageMetadata: { promptTokenCount: 9, candidatesTokenCount: at + 2 },
        })),
      ),
    ),
  },
  {
    format: 'bedrock-converse',
    framing: awsEventStream,
    body: Buffer.concat([
      ...Array.from({ length: 12 }, () =>
        awsEventStream.write({ event: 'contentBlockDelta', data: '{"delta":{"text":"w"}}' }),
      ),
      awsEventStream.write({ event: 'messageStop', data: '{"stopReason":"end_turn"}' }),
      awsEventStream.write({ event: 'metadata', data: '{"usage":{"inputTokens":9,"outputTokens":13}}' }),
    ]),
  },
]

const keep = { estimateTokens: (text: string) => text.length, onMessage: () => undefined }

for (const { format, framing, body } of samples) {
  describe(`${format}, however it is split`, () => {
    const cuts = fc.array(fc.nat(body.length), { maxLength: 30 }).map((places) => cutAt(body, places))

    test('passes unchanged if nothing has to be changed', () => {
      fc.assert(
        fc.property(cuts, fc.constantFrom({}, keep, { onMessage: keep.onMessage }), (chunks, options) => {
          const { out } = passed(chunks, { format: getFormat(format), framing, ...options })
          assert.equal(out, body.toString('latin1'))
        }),
      )
    })

    test('reports the same', () => {
      fc.assert(
        fc.property(cuts, fc.constantFrom({}, keep), (chunks, options) => {
          const { accumulator } = passed(chunks, { format: getFormat(format), framing, ...options })
          const { inputTokens, outputTokens } = accumulator.usage ?? {}
          assert.deepEqual([inputTokens, outputTokens], [9, 13])
          assert.match(accumulator.finishReason ?? '', /stop|end_turn/i)
          assert.ok(accumulator.firstTokenAt !== undefined && accumulator.error === undefined)
        }),
      )
    })
  })
}

test('passes without the usage event', () => {
  const head = `${chunk('')}${times(5, () => chunk('word'))}${stop}`
  const body = Buffer.from(head + usageEvent(6) + DONE)
  fc.assert(
    fc.property(fc.array(fc.nat(body.length)), (places) => {
      const { out, accumulator } = passed(cutAt(body, places), { hidesUsage: true })
      assert.equal(out, head + DONE)
      assert.equal(accumulator.usage?.outputTokens, 6)
    }),
  )
})

describe('no exception is thrown', () => {
  const framings = [sse, ndjson, jsonArray, awsEventStream]
  const anyFormat = fc.constantFrom(...formatNames).map(getFormat)
  const anyOptions = fc.record({
    sent: fc.record({ bytes: fc.nat(1) }),
    hidesUsage: fc.boolean(),
    estimateTokens: fc.constantFrom(undefined, () => 1),
    onMessage: fc.constantFrom(
      undefined,
      () => undefined,
      () => null,
    ),
  })
  const data = fc.oneof(
    fc.jsonValue().map((value) => JSON.stringify(value)),
    fc.string(),
    fc.constantFrom('[DONE]', '{"usage":', '{"choices":null,"usage":{"completion_tokens":"x"}}', '{"error":1}'),
  )

  test('for any bytes in frames, and any ends of frames', () => {
    const pieces = fc.array(fc.uint8Array({ minLength: 1, maxLength: 60 }), { maxLength: 12 })
    fc.assert(
      fc.property(anyFormat, fc.constantFrom(...framings), anyOptions, pieces, (format, framing, options, frames) => {
        const passage = new StreamMeter(format, framing, new UsageAccumulator(), options)
        let end = 0
        const ends = frames.map(({ length }) => {
          end += length
          return end
        })
        passage.pass(Buffer.concat(frames), ends, 0)
        passage.finish(1)
      }),
    )
  })

  test('for any messages in frames', () => {
    const messages = fc.array(fc.record({ event: fc.constantFrom('error', 'metadata', 'chunk', 'ping'), data }))
    fc.assert(
      fc.property(anyFormat, fc.constantFrom(...framings), anyOptions, messages, (format, framing, options, all) => {
        passed(
          all.map((message) => framing.write(message)),
          { format, framing, ...options },
        )
      }),
    )
  })

  test('for JSON nested 10,000 deep', () => {
    const deep = `${'{"choices":['.repeat(10_000)}${']}'.repeat(10_000)}`
    for (const name of formatNames) {
      const { out } = passed([event(deep) + DONE], { format: getFormat(name), estimateTokens: keep.estimateTokens })
      assert.equal(out === event(deep) + DONE, true, 'it passes as it is')
      const hooked = passed([event(deep) + DONE], { format: getFormat(name), ...keep })
      assert.deepEqual(
        [hooked.out, hooked.failure !== undefined],
        ['', true],
        'a hook cannot see it, so it does not pass',
      )
    }
  })
})
