import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createParser, type EventSourceMessage } from 'eventsource-parser'
import { openai } from '../../lib/formats/openai.js'
import { decodesNothing, failure, noErrors, tellsTerminators } from './checks.js'

describe('openai: failures', () => {
  test('the body has message, type, code and param', () => {
    assert.deepEqual(openai.errorBody(failure), {
      error: { message: failure.message, type: 'server_error', code: 'idle_timeout', param: null },
    })
  })

  for (const [status, type] of [
    [400, 'invalid_request_error'],
    [404, 'invalid_request_error'],
    [413, 'invalid_request_error'],
    [500, 'server_error'],
    [503, 'server_error'],
  ] as const) {
    test(`type for ${status}`, () => {
      const { error } = openai.errorBody({ ...failure, status }) as { error: { type: string } }
      assert.equal(error.type, type)
    })
  }

  test('the event is one unnamed data event with the body', () => {
    const body = openai.errorBody(failure)
    const text = openai.errorEvent(body)
    assert.equal(text, `data: ${JSON.stringify(body)}\n\n`)
    const events: EventSourceMessage[] = []
    createParser({ onEvent: (event) => void events.push(event) }).feed(text)
    assert.equal(events.length, 1)
    assert.equal(events[0]?.event, undefined)
    assert.deepEqual(JSON.parse(events[0]!.data), body)
  })

  test('the error event is not a terminator', () => {
    assert.equal(openai.isTerminator(Buffer.from(openai.errorEvent({ error: 0 }))), false)
  })

  test("OpenAI's own errors are recognised, nothing else is", () => {
    assert.equal(openai.isErrorBody(openai.errorBody(failure)), true)
    assert.equal(openai.isErrorBody({ error: 'model not found' }), true)
    for (const body of noErrors) assert.equal(openai.isErrorBody(body), false, JSON.stringify(body))
  })
})

const delta = (content: string) =>
  `data: ${JSON.stringify({ id: 'chatcmpl-1', choices: [{ index: 0, delta: { content } }] })}\n\n`

describe('openai: the terminator', () => {
  const uuid = '3f2504e0-4f89-11d3-9a0c-0305e82c3301'
  const response = JSON.stringify({ type: 'response.completed', response: { id: 'r', output: ['x'.repeat(500)] } })
  tellsTerminators(
    openai,
    [
      'data: [DONE]\n\n',
      'data:[DONE]\n\n',
      'data: [DONE]\r\n\r\n',
      'data: [DONE]\r\r',
      'data: [DONE]\n\r\n',
      'event: done\ndata: [DONE]\n\n',
      'id: 12\ndata: [DONE]\n\n',
      ': bye\ndata: [DONE]\n\n',
      `event: message\nid: ${uuid}\nretry: 3000\ndata: [DONE]\n\n`,
      `: ${'x'.repeat(200)}\ndata: [DONE]\n\n`,
      `event: response.completed\ndata: ${response}\n\n`,
      `event:response.completed\ndata:${response}\n\n`,
      `event: response.completed\r\ndata: ${response}\r\n\r\n`,
      `event: response.completed\rdata: ${response}\r\r`,
      `event: response.incomplete\ndata: ${response}\n\n`,
      `event: response.failed\ndata: ${response}\n\n`,
      `id: 12\nevent: response.completed\ndata: ${response}\n\n`,
      `id: ${uuid}\nevent: response.completed\ndata: ${response}\n\n`,
      // As short as a provider that says nothing but the type would have it.
      'event: response.completed\ndata: {"type":"response.completed"}\n\n',
      'event: response.failed\ndata: {}\n\n',
      // The name may stand behind the data.
      'data: {}\nevent: response.completed\n\n',
      'data: {}\revent: response.completed\n\n',
      'data:{}\r\nevent: response.completed\r\n\r\n',
    ],
    [
      delta('[DONE]'),
      delta('x'.repeat(500)),
      delta('data: [DONE]\n\n'),
      delta('event: response.completed\n'),
      'data: "[DONE]"\n\n',
      'data: [DONE] \n\n',
      'data: [DONE]x\n\n',
      'data: a\ndata: [DONE]\n\n',
      ': [DONE]\n\n',
      'event: [DONE]\ndata: x\n\n',
      '{"c":"[DONE]"}\n\n',
      'data: {"choices":[{"delta":{"content":"[DONE]"}}]}\n\n',
      `event: response.output_text.delta\ndata: {"type":"response.output_text.delta","delta":"response.completed"}\n\n`,
      `event: response.output_item.done\ndata: {"type":"response.output_item.done","item":"response.failed"}\n\n`,
      `event: response.completed.soon\ndata: ${response}\n\n`,
      `event: xresponse.completed\ndata: ${response}\n\n`,
      `data: event: response.completed ${response}\n\n`,
      `: event: response.completed\ndata: ${response}\n\n`,
    ],
  )
  decodesNothing(openai, delta('x'.repeat(5000)))
})
