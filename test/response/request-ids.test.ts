import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Request, Response } from 'express'
import { Exchange } from '../../lib/exchange/exchange.js'
import { type FormatName, getFormat } from '../../lib/formats/index.js'
import { addRequestIds, leaveRequestId, providerRequestIdIn, requestIdHeader } from '../../lib/response/request-ids.js'
import { FakeResponse } from '../support/fake-response.js'

function exchangeOn(res: FakeResponse, providersId?: string): Exchange {
  const exchange = new Exchange({ method: 'POST', url: '/v1/messages' } as Request, res as unknown as Response)
  exchange.recordProviderHead(200, providersId)
  return exchange
}

function added(res: FakeResponse, providersId?: string) {
  const exchange = exchangeOn(res, providersId)
  const headers = {}
  addRequestIds(headers, exchange)
  return { id: exchange.id, headers, alone: requestIdHeader(exchange) }
}

describe("the provider's id of a request", () => {
  for (const [format, headers, expected] of [
    ['openai-chat', { 'x-request-id': 'req_1' }, 'req_1'],
    ['openai-responses', { 'apim-request-id': 'azure', 'x-request-id': 'req_1' }, 'req_1'],
    ['openai-chat', { 'apim-request-id': 'azure' }, 'azure'],
    ['openai-chat', { 'mistral-correlation-id': 'm' }, 'm'],
    ['openai-chat', { 'x-litellm-call-id': 'l', 'nvcf-reqid': 'n' }, 'l'],
    ['anthropic', { 'request-id': 'req_011' }, 'req_011'],
    ['anthropic', { 'request-id': 'req_011', 'x-request-id': 'gateway' }, 'gateway'],
    ['anthropic', { 'x-amzn-requestid': 'aws' }, 'aws'],
    ['bedrock-converse', { 'x-amzn-requestid': 'aws' }, 'aws'],
    ['bedrock-invoke', { 'x-amzn-requestid': 'aws' }, 'aws'],
    ['cohere', { 'x-debug-trace-id': 'c' }, 'c'],
    ['openai-chat', { 'request-id': 'of another protocol' }, undefined],
    ['openai-chat', { 'x-request-id': '' }, undefined],
    ['openai-chat', { 'x-request-id': 'of the connection', connection: 'close, X-Request-Id' }, undefined],
    ['gemini', {}, undefined],
  ] satisfies [FormatName, Record<string, string>, string | undefined][]) {
    test(`${format}, ${JSON.stringify(headers)}: ${expected}`, () => {
      assert.equal(providerRequestIdIn(headers, getFormat(format)), expected)
    })
  }
})

describe('the headers with ids', () => {
  test("have the exchange's, and the provider's if it sent one", () => {
    const { id, headers, alone } = added(new FakeResponse(), 'req_1')
    assert.deepEqual(headers, { 'x-request-id': id, 'x-upstream-request-id': 'req_1' })
    assert.deepEqual(alone, { 'x-request-id': id })
    const other = added(new FakeResponse())
    assert.deepEqual(other.headers, { 'x-request-id': other.id })
  })

  test('leave those alone that the app has set', () => {
    const res = new FakeResponse().setHeader('X-Request-Id', 'ours')
    assert.deepEqual(added(res, 'req_1').headers, { 'x-upstream-request-id': 'req_1' })
    assert.deepEqual(added(res, 'req_1').alone, {})
    res.setHeader('X-Upstream-Request-Id', 'ours as well')
    assert.deepEqual(added(res, 'req_1').headers, {})
  })

  test('have the id of the exchange that answers, after another that has left it to the app', () => {
    const res = new FakeResponse()
    const first = exchangeOn(res)
    leaveRequestId(first)
    assert.equal(res.getHeader('x-request-id'), first.id)
    const second = added(res)
    assert.deepEqual(second.alone, { 'x-request-id': second.id })
    const third = exchangeOn(res)
    leaveRequestId(third)
    assert.equal(res.getHeader('x-request-id'), third.id)
    res.setHeader('x-request-id', 'ours')
    leaveRequestId(exchangeOn(res))
    assert.equal(res.getHeader('x-request-id'), 'ours')
    assert.deepEqual(added(res).alone, {})
  })
})
