import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { recordOf } from '../../lib/exchange/record-of.js'
import { chunk } from '../metering/passing.js'
import { completed, event, rig, SSE } from './controlling.js'

describe('onEvent', () => {
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
