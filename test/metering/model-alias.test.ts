import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { UsageAccumulator } from '../../lib/exchange/usage-accumulator.js'
import { type FormatName, formatNames, getFormat } from '../../lib/formats/index.js'
import { type Framing, framings } from '../../lib/framing/index.js'
import { modelAliasFor } from '../../lib/metering/model-alias.js'
import { StreamMeter } from '../../lib/metering/stream-meter.js'
import { cutAt } from '../support/bytes.js'

const { sse, ndjson, jsonArray, awsEventStream } = framings

const aliasIn = (name: FormatName) => modelAliasFor(getFormat(name), 'fast')!

function framed(frame: string, format: FormatName = 'openai-chat', framing: Framing = sse): string {
  return aliasIn(format).inFrame(Buffer.from(frame), framing).toString()
}

describe('the client’s name of the model, in an event', () => {
  for (const [format, framing, frame, expected] of [
    ['openai-chat', sse, 'data: {"id":"c", "model" : "gpt"}\n\n', 'data: {"id":"c", "model" : "fast"}\n\n'],
    ['openai-chat', sse, 'id: 7\r\ndata:{"model":"gpt"}\r\n\r\n', 'id: 7\r\ndata:{"model":"fast"}\r\n\r\n'],
    ['openai-chat', sse, 'data: {"model":"gpt"}\nid: 7\n: note\n\n', 'data: {"model":"fast"}\nid: 7\n: note\n\n'],
    ['openai-chat', sse, 'data: {"n":1,\ndata: "model":"gpt"}\n\n', 'data: {"n":1,\ndata: "model":"fast"}\n\n'],
    ['openai-completions', sse, 'data: {"model":"gpt"}\n\n', 'data: {"model":"fast"}\n\n'],
    [
      'openai-responses',
      sse,
      'event: response.created\ndata: {"type":"response.created","response":{"id":"r","model":"gpt","output":[]}}\n\n',
      'event: response.created\ndata: {"type":"response.created","response":{"id":"r","model":"fast","output":[]}}\n\n',
    ],
    [
      'anthropic',
      sse,
      'event: message_start\ndata: {"type":"message_start","message":{"model":"claude","content":[]}}\n\n',
      'event: message_start\ndata: {"type":"message_start","message":{"model":"fast","content":[]}}\n\n',
    ],
    [
      'gemini',
      sse,
      'data: {"candidates":[],"modelVersion":"g"}\r\n\r\n',
      'data: {"candidates":[],"modelVersion":"fast"}\r\n\r\n',
    ],
    ['gemini', jsonArray, ',\r\n{"modelVersion": "g"\n}', ',\r\n{"modelVersion": "fast"\n}'],
    ['gemini', jsonArray, '[{"modelVersion":"g"}', '[{"modelVersion":"fast"}'],
    [
      'gemini-interactions',
      sse,
      'data: {"interaction":{"model":"g","agent":"a"}}\n\n',
      'data: {"interaction":{"model":"fast","agent":"a"}}\n\n',
    ],
    ['ollama-chat', ndjson, '{"model":"llama","message":{}}\n', '{"model":"fast","message":{}}\n'],
    ['ollama-generate', ndjson, '{"model":"llama","response":"x"}\r\n', '{"model":"fast","response":"x"}\r\n'],
  ] as const) {
    test(`${format}: ${JSON.stringify(frame)}`, () => assert.equal(framed(frame, format, framing), expected))
  }

  for (const frame of [
    'data: {"model":""}\n\n',
    'data: {"model":"fast"}\n\n',
    'data: {"model":null}\n\n',
    'data: {"choices":[{"model":"gpt"}]}\n\n',
    'data: {"text":"\\"model\\":\\"gpt\\""}\n\n',
    'data: [DONE]\n\n',
    'data: "model"\n\n',
    ': "model"\n\n',
    'event: "model"\n\n',
    'data: {"model":"gp\n\n',
    '\n',
  ]) {
    test(`stays out of ${JSON.stringify(frame)}`, () => {
      const bytes = Buffer.from(frame)
      assert.equal(aliasIn('openai-chat').inFrame(bytes, sse), bytes)
    })
  }

  test('stays out of a text of more than 4 MiB that is there at once', () => {
    const text = (bytes: number) => Buffer.from(`{"model":"gpt","a":"${'x'.repeat(bytes)}"}`)
    const long = text(4 * 1024 * 1024)
    assert.equal(aliasIn('ollama-chat').inJson(long), long)
    assert.equal(aliasIn('ollama-chat').inFrame(long, ndjson), long)
    assert.match(
      aliasIn('ollama-chat')
        .inJson(text(4 * 1024 * 1000))
        .toString(),
      /^{"model":"fast","a"/,
    )
  })

  test('is in a frame with a checksum, too', () => {
    const message = { event: 'chunk', data: '{"model":"gpt"}' }
    const frame = awsEventStream.write(message)
    const named = aliasIn('openai-chat').inFrame(frame, awsEventStream)
    assert.equal(awsEventStream.read(named)?.data, '{"model":"fast"}')
    const other = awsEventStream.write({ event: 'chunk', data: '{"a":"\\"model\\""}' })
    assert.equal(aliasIn('openai-chat').inFrame(other, awsEventStream), other)
  })

  test('there is none without a name, or in a format that names no model', () => {
    assert.equal(modelAliasFor(getFormat('openai-chat'), undefined), undefined)
    for (const name of ['cohere', 'tgi', 'bedrock-converse'] as const) {
      assert.equal(modelAliasFor(getFormat(name), 'fast'), undefined)
    }
  })
})

test('what a format reads as the model of an answer is the client’s name afterwards', () => {
  for (const name of formatNames) {
    const format = getFormat(name)
    if (format.modelFields.length === 0) continue
    const answer = Buffer.from('{"model":"provider","modelVersion":"provider","choices":[]}')
    assert.equal(format.readAnswer(JSON.parse(answer.toString())).model, 'provider', name)
    const named = JSON.parse(aliasIn(name).inJson(answer).toString())
    assert.equal(format.readAnswer(named).model, 'fast', name)
  }
})

const chunk = (text: string, model = 'gpt') =>
  `data: {"id":"c","model":"${model}","choices":[{"index":0,"delta":{"content":${JSON.stringify(text)}}}]}\n\n`
const usage = (model = 'gpt') =>
  `data: {"model":"${model}","choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}}\n\n`

/** What a stream becomes, however it is cut, and what was found in it. */
function passed(
  body: string,
  cuts: readonly number[],
  options: Partial<ConstructorParameters<typeof StreamMeter>[3]> = {},
) {
  const accumulator = new UsageAccumulator()
  const meter = new StreamMeter(getFormat('openai-chat'), sse, accumulator, {
    sent: { bytes: 0 },
    hidesUsage: false,
    estimateTokens: undefined,
    onMessage: undefined,
    alias: aliasIn('openai-chat'),
    ...options,
  })
  const framer = sse.createFramer(Number.POSITIVE_INFINITY)
  let seen = ''
  for (const piece of [...cutAt(Buffer.from(body), cuts), undefined]) {
    const frames = piece ? framer.push([piece]) : framer.end()
    if (frames) {
      const out = meter.pass(frames, framer.ends, 0, framer.prefix)
      seen += Buffer.concat([...(meter.prefix ?? []), ...(out ? [out] : [])]).toString()
    }
    if (framer.unfinished?.length) meter.scanUnfinished(framer.unfinished)
  }
  meter.finish(0)
  return { seen, accumulator }
}

describe('the client’s name of the model, in a stream', () => {
  const body = [chunk('Hello'), ': ping\n\n', chunk(' "model"'), chunk('!', ''), usage(), 'data: [DONE]\n\n'].join('')
  const named = body.replaceAll('"gpt"', '"fast"')

  test('is in every event, however the stream is cut; what is read is the provider’s', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(body.length)), (cuts) => {
        const { seen, accumulator } = passed(body, cuts)
        assert.equal(seen, named)
        assert.deepEqual([accumulator.model, accumulator.usage?.outputTokens], ['gpt', 2])
      }),
    )
  })

  test('is in a stream without the event that the client had not asked for', () => {
    const { seen, accumulator } = passed(body, [30, 200], { hidesUsage: true })
    assert.equal(seen, named.replace(usage('fast'), ''))
    assert.equal(accumulator.model, 'gpt')
  })

  test('is in what a hook made of an event, which saw the provider’s', () => {
    const models: unknown[] = []
    const { seen } = passed(body, [], {
      onMessage: (message, data) => {
        models.push((data as { model: string }).model)
        return message.data.includes('Hello') ? { ...message, data: message.data.replace('Hello', 'Bye') } : undefined
      },
    })
    assert.equal(seen, named.replace('Hello', 'Bye'))
    assert.deepEqual([...new Set(models)], ['gpt', ''])
  })

  test('is anywhere in an event that is too large to be joined, and in those that come with its end', () => {
    const padding = 'x'.repeat(600_000)
    const large = `data: {"id":"c","text":"${padding}","model":"gpt","choices":[]}\n\n`
    const cuts = Array.from({ length: 40 }, (_, at) => at * 20_000)
    for (const event of [chunk(padding), large]) {
      for (const rest of ['', chunk('end') + usage()]) {
        for (const cut of [1, event.length - 25, event.length - 20, event.length]) {
          const { seen, accumulator } = passed(event + rest, [...cuts.filter((each) => each < event.length - 100), cut])
          assert.equal(seen, (event + rest).replaceAll('"gpt"', '"fast"'))
          assert.equal(accumulator.model, 'gpt')
        }
      }
    }
  })
})
