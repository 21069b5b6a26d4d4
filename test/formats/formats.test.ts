import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createParser, type EventSourceMessage } from 'eventsource-parser'
import { anthropic } from '../../lib/formats/anthropic.js'
import { asksForStream, formatFor } from '../../lib/formats/index.js'
import { openai } from '../../lib/formats/openai.js'
import { readEvent } from '../../lib/formats/read-event.js'

const failure = { code: 'idle_timeout', status: 504, message: 'The provider fell "silent"\nfor long' }

function parsed(text: string): EventSourceMessage[] {
  const events: EventSourceMessage[] = []
  createParser({ onEvent: (event) => void events.push(event) }).feed(text)
  return events
}

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

  test('the event is one data event without a name, holding the body', () => {
    const body = openai.errorBody(failure)
    const text = openai.errorEvent(body)
    assert.equal(text, `data: ${JSON.stringify(body)}\n\n`)
    const [event, ...others] = parsed(text)
    assert.deepEqual(others, [])
    assert.equal(event?.event, undefined)
    assert.deepEqual(JSON.parse(event!.data), body)
  })

  test('the event is not the terminator', () => {
    assert.equal(openai.isTerminator(Buffer.from(openai.errorEvent({ error: 0 }))), false)
  })
})

describe('anthropic: failures', () => {
  test('the body has a type of its own, and the code within the error', () => {
    assert.deepEqual(anthropic.errorBody(failure), {
      type: 'error',
      error: { type: 'timeout_error', message: failure.message, code: 'idle_timeout' },
    })
  })

  for (const [status, type] of [
    [400, 'invalid_request_error'],
    [404, 'not_found_error'],
    [413, 'request_too_large'],
    [500, 'api_error'],
    [502, 'api_error'],
    [503, 'overloaded_error'],
    [504, 'timeout_error'],
  ] as const) {
    test(`type for ${status}`, () => {
      const { error } = anthropic.errorBody({ ...failure, status }) as { error: { type: string } }
      assert.equal(error.type, type)
    })
  }

  test('the event is called error, and holds the body', () => {
    const body = anthropic.errorBody(failure)
    const text = anthropic.errorEvent(body)
    assert.equal(text, `event: error\ndata: ${JSON.stringify(body)}\n\n`)
    const [event, ...others] = parsed(text)
    assert.deepEqual(others, [])
    assert.equal(event?.event, 'error')
    assert.deepEqual(JSON.parse(event!.data), body)
  })

  test('the event is not the terminator', () => {
    assert.equal(anthropic.isTerminator(Buffer.from(anthropic.errorEvent({ type: 'error' }))), false)
  })
})

const delta = (content: string) =>
  `data: ${JSON.stringify({ id: 'chatcmpl-1', choices: [{ index: 0, delta: { content } }] })}\n\n`

describe('openai: the terminator', () => {
  const response = JSON.stringify({ type: 'response.completed', response: { id: 'r', output: ['x'.repeat(500)] } })
  const terminators = [
    'data: [DONE]\n\n',
    'data:[DONE]\n\n',
    'data: [DONE]\r\n\r\n',
    'data: [DONE]\r\r',
    'data: [DONE]\n\r\n',
    'event: done\ndata: [DONE]\n\n',
    'id: 12\ndata: [DONE]\n\n',
    ': bye\ndata: [DONE]\n\n',
    `event: response.completed\ndata: ${response}\n\n`,
    `event:response.completed\ndata:${response}\n\n`,
    `event: response.completed\r\ndata: ${response}\r\n\r\n`,
    `event: response.completed\rdata: ${response}\r\r`,
    `event: response.incomplete\ndata: ${response}\n\n`,
    `event: response.failed\ndata: ${response}\n\n`,
    `id: 12\nevent: response.completed\ndata: ${response}\n\n`,
    // As short as a provider that says nothing but the type would have it.
    'event: response.completed\ndata: {"type":"response.completed"}\n\n',
    'event: response.failed\ndata: {}\n\n',
  ]
  for (const event of terminators) {
    test(`is ${JSON.stringify(event.slice(0, 70))}`, () => assert.equal(openai.isTerminator(Buffer.from(event)), true))
  }

  const others = [
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
  ]
  for (const event of others) {
    test(`is not ${JSON.stringify(event.slice(0, 90))}`, () =>
      assert.equal(openai.isTerminator(Buffer.from(event)), false))
  }
})

describe('anthropic: the terminator', () => {
  const metrics = { type: 'message_stop', 'amazon-bedrock-invocationMetrics': { inputTokenCount: 12, latency: 1234 } }
  const terminators = [
    'event: message_stop\ndata: {"type":"message_stop"}\n\n',
    'event:message_stop\ndata:{"type":"message_stop"}\n\n',
    'event: message_stop\r\ndata: {"type":"message_stop"}\r\n\r\n',
    'event: message_stop\rdata: {"type":"message_stop"}\r\r',
    'event: message_stop\ndata: {"type":"message_stop"           }\n\n',
    `event: message_stop\ndata: ${JSON.stringify(metrics)}\n\n`,
  ]
  for (const event of terminators) {
    test(`is ${JSON.stringify(event.slice(0, 70))}`, () =>
      assert.equal(anthropic.isTerminator(Buffer.from(event)), true))
  }

  const others = [
    'event: content_block_delta\ndata: {"delta":{"type":"text_delta","text":"message_stop"}}\n\n',
    'event: content_block_delta\ndata: {"delta":{"text":"event: message_stop\\n"}}\n\n',
    'event: content_block_stop\ndata: {"type":"content_block_stop","index":0}\n\n',
    'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn"}}\n\n',
    ': message_stop\n\n',
    'event: message_stopped\ndata: {}\n\n',
    'data: message_stop\n\n',
    'data: [DONE]\n\n',
  ]
  for (const event of others) {
    test(`is not ${JSON.stringify(event.slice(0, 90))}`, () =>
      assert.equal(anthropic.isTerminator(Buffer.from(event)), false))
  }
})

describe('isErrorBody', () => {
  for (const format of [openai, anthropic]) {
    test(`${format.name}: its own errors are, nothing else is`, () => {
      assert.equal(format.isErrorBody(format.errorBody(failure)), true)
      for (const body of [undefined, null, 'error', 5, [], {}, { detail: 'x' }, { error: null }, { type: 'error' }]) {
        assert.equal(format.isErrorBody(body), false, JSON.stringify(body))
      }
    })
  }
})

describe('only what may be a terminator is decoded', () => {
  for (const format of [openai, anthropic]) {
    test(format.name, (t) => {
      const event = Buffer.from(delta('x'.repeat(5000)))
      const decode = t.mock.method(Buffer.prototype, 'toString')
      format.isTerminator(event)
      assert.equal(decode.mock.callCount(), 0)
    })
  }
})

describe('readEvent', () => {
  test('reads name, id and data', () => {
    assert.deepEqual(readEvent(Buffer.from('id: 1\nevent: x\ndata: a\ndata: b\n\n')), {
      id: '1',
      event: 'x',
      data: 'a\nb',
    })
  })
  test('a comment is no event', () => assert.equal(readEvent(Buffer.from(': x\n\n')), undefined))
})

describe('formatFor', () => {
  for (const [path, format] of [
    ['/v1/messages', anthropic],
    ['/messages', anthropic],
    ['/v1/messages/count_tokens', anthropic],
    ['/v1/chat/completions', openai],
    ['/v1/responses', openai],
    ['/v1beta/models/x:generateContent', openai],
    ['/v1/messages/batches', openai],
    ['/v1/xmessages', openai],
    ['/v1/messagesx', openai],
    ['/', openai],
  ] as const) {
    test(`${path}: ${format.name}`, () => assert.equal(formatFor(path), format))
  }
})

describe('asksForStream', () => {
  for (const [path, body, asked] of [
    ['/v1/chat/completions', { stream: true }, true],
    ['/v1/chat/completions', { stream: false }, false],
    ['/v1/chat/completions', {}, false],
    ['/v1/chat/completions', { stream: 'true' }, true],
    ['/v1/chat/completions', { stream: 1 }, true],
    ['/v1/chat/completions', undefined, false],
    ['/v1/chat/completions', null, false],
    ['/v1/chat/completions', 'stream', false],
    ['/v1beta/models/gemini:streamGenerateContent', {}, true],
    ['/v1beta/models/gemini:generateContent', {}, false],
    ['/model/claude/converse-stream', {}, true],
    ['/model/claude/converse', {}, false],
    ['/api/chat', {}, true],
    ['/api/chat', undefined, true],
    ['/api/generate', {}, true],
    ['/api/chat', { stream: false }, false],
    ['/api/chat', { stream: true }, true],
    ['/v2/chat', {}, false],
    ['/v2/chat', { stream: true }, true],
  ] as const) {
    test(`${path} ${JSON.stringify(body)}: ${asked}`, () => assert.equal(asksForStream('POST', path, body), asked))
  }
})
