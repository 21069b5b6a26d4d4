import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { EventStreamCodec } from '@smithy/eventstream-codec'
import type { Request, Response } from 'express'
import { AiProxyError } from '../../lib/api/errors.js'
import { Exchange } from '../../lib/exchange/exchange.js'
import { type FormatName, formatNames, getFormat } from '../../lib/formats/index.js'
import { awsEventStream } from '../../lib/framing/aws-event-stream.js'
import { jsonArray, sse } from '../../lib/framing/index.js'
import { ndjson } from '../../lib/framing/ndjson.js'
import { failureFrame, failureResponse } from '../../lib/response/failure-response.js'
import { FakeResponse } from '../support/fake-response.js'

const failure = new AiProxyError('idle_timeout', 'The provider fell silent:\n "é"')

const bodyIn = (format: FormatName) => getFormat(format).errorBody(failure)

describe('a failure within a stream', () => {
  for (const name of formatNames) {
    test(`is reported in an event in the format of ${name}`, () => {
      const frame = failureFrame(sse, getFormat(name), bodyIn(name))!
      assert.equal(frame.toString(), getFormat(name).errorEvent(bodyIn(name)))
      const data = JSON.parse(sse.read(frame)!.data)
      // These have more beside it, for readers of typed events; in interactions, the code is a text.
      if (name === 'openai-responses')
        assert.deepEqual([{ error: data.error }, data.type], [bodyIn(name), 'response.failed'])
      else if (name === 'gemini-interactions')
        assert.deepEqual([data.error.code, data.event_type], [failure.code, 'error'])
      else assert.deepEqual(data, bodyIn(name))
    })

    test(`is one whole frame in every framing that supports it, in which ${name} recognises the error`, () => {
      for (const framing of [sse, ndjson, awsEventStream]) {
        const frame = failureFrame(framing, getFormat(name), bodyIn(name))!
        const framer = framing.createFramer(Number.POSITIVE_INFINITY)
        assert.deepEqual(framer.push([frame]), frame)
        assert.deepEqual([framer.ends, framer.end()], [[frame.length], undefined])
        const { data } = framing.read(frame)!
        assert.equal(getFormat(name).isErrorBody(JSON.parse(data)), true)
      }
    })
  }

  test('is a line in NDJSON', () => {
    const frame = failureFrame(ndjson, getFormat('ollama-chat'), bodyIn('ollama-chat'))!
    assert.equal(frame.toString(), `${JSON.stringify({ error: failure.message, code: 'idle_timeout' })}\n`)
  })

  test('is an exception in an AWS event stream, readable with AWS’s own codec', () => {
    const frame = failureFrame(awsEventStream, getFormat('bedrock-converse'), bodyIn('bedrock-converse'))!
    const codec = new EventStreamCodec(
      (bytes) => Buffer.from(bytes as Uint8Array).toString(),
      (text) => Buffer.from(text),
    )
    const { headers, body } = codec.decode(frame)
    assert.equal(headers[':message-type']?.value, 'exception')
    assert.equal(headers[':exception-type']?.value, 'internalServerException')
    assert.deepEqual(JSON.parse(Buffer.from(body).toString()), { message: failure.message, code: 'idle_timeout' })
  })
})

test('has no representation in an array, so the connection must be destroyed', () => {
  assert.equal(failureFrame(jsonArray, getFormat('gemini'), bodyIn('gemini')), undefined)
})

describe('the answer to a failure before anything was sent', () => {
  for (const [code, connection] of [
    ['shutting_down', 'close'],
    ['too_many_exchanges', 'close'],
    ['too_many_streams', undefined],
    ['held_bytes_exceeded', undefined],
  ] as const) {
    test(`${connection === 'close' ? 'closes' : 'keeps'} the connection: ${code}`, () => {
      const res = new FakeResponse()
      const exchange = new Exchange({ method: 'POST', url: '/v1/x' } as Request, res as unknown as Response)
      failureResponse(exchange, new AiProxyError(code, 'No'))
      assert.equal(res.getHeader('connection'), connection)
    })
  }
})
