import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { limitFailure } from '../../lib/api/errors.js'
import { recordOf } from '../../lib/exchange/record-of.js'
import { compileSecrets } from '../../lib/util/secrets.js'
import { chunk } from '../metering/passing.js'
import { sendRequest } from '../support/sent-request.js'
import { completed, event, rig, SSE } from './controlling.js'

test('the time that onResponse takes does not count as silence of the model', async (t) => {
  let respond = () => {}
  const waiting = new Promise<void>((resolve) => {
    respond = resolve
  })
  const { res, exchange, delivery, answer, advance, run, ended } = rig(t, { onResponse: () => waiting })
  exchange.deadlines.start('firstToken', 1000, () => {
    delivery.failForSilence(limitFailure('first_token_timeout', exchange.limits))
  })
  await advance(900)
  await answer(SSE, event('{}'))
  await advance(500)
  respond()
  await run()
  await advance(90)
  assert.equal(res.body, event('{}'))
  await advance(10)
  assert.equal(ended().code, 'first_token_timeout')
})

test('once onResponse has answered, the answer may take longer than it might have taken', async (t) => {
  const { res, answer, advance, run } = rig(t, { onResponse: () => {}, limits: { firstByteTimeoutMs: 100 } })
  const response = await answer(SSE, event('{"a":1}'))
  await run()
  await advance(5000)
  assert.equal(res.body, event('{"a":1}'))
  response.write(event('{"b":2}'))
  await run()
  assert.equal(res.body, event('{"a":1}') + event('{"b":2}'))
  res.destroy()
})

describe('onEvent', () => {
  test('does not reveal a secret whose spelling is not searched for', async (t) => {
    const { res, exchange, answer, run } = rig(t, { onEvent: ({ data }) => ({ data }) })
    sendRequest(exchange, { secrets: compileSecrets(['sk-secret-0123456789']) })
    const response = await answer(SSE, event('{"a":"\\u0073k-\\u0073ecret-0123456789"}'))
    response.end()
    await run()
    assert.match(res.body, /"a":"\*{20}"/)
  })

  test('decides what the client gets; the record has what the provider sent', async (t) => {
    const { res, exchange, answer, run, ended } = rig(t, {
      onEvent: ({ data }) => (data.choices ? { data: { said: true } } : null),
    })
    const response = await answer(SSE, chunk('Hello') + event('{"secret":1}') + event('[DONE]'))
    response.end()
    await run()
    assert.equal(res.body, event('{"said":true}') + event('[DONE]'))
    res.finish()
    assert.deepEqual(ended(), completed(3))
    assert.equal(recordOf(exchange).responseModel, 'gpt-5-2026')
  })

  test('ends the stream with an error event if it throws, which does not quote the exception', async (t) => {
    const { res, answer, run, ended, log } = rig(t, {
      onEvent: ({ data }) => {
        if (data.secret) throw new Error('hunter2')
      },
    })
    const response = await answer(SSE, chunk('Hello'))
    response.write(event('{"secret":1}') + chunk('more'))
    await run()
    assert.equal(res.writes[0], chunk('Hello'))
    assert.match(res.writes[1]!, /^data: \{"error":.*"internal_error"/)
    assert.doesNotMatch(res.body, /hunter2|secret|more/)
    assert.ok(log.includes('upstream ended'))
    res.finish()
    assert.deepEqual([ended().outcome, ended().code], ['rejected', 'internal_error'])
  })
})
