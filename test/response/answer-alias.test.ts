import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { recordOf } from '../../lib/exchange/record-of.js'
import { Secrets } from '../../lib/util/secrets.js'
import { chunk, DONE, stop } from '../metering/passing.js'
import { sendRequest } from '../support/sent-request.js'
import { completed, type Given, rig, SSE } from './controlling.js'

const JSON_TYPE = { 'content-type': 'application/json' }
const ANSWER = '{"id":"c1", "model" : "gpt-5-2026", "choices":[], "usage":{"completion_tokens":1}}'
const NAMED = ANSWER.replace('gpt-5-2026', 'fast')

/** An exchange whose client asked for `fast`. */
function aliased(...given: [Parameters<typeof rig>[0], Given?]) {
  const rigged = rig(...given)
  rigged.exchange.answerAlias = 'fast'
  return rigged
}

describe('the client’s name of the model, in a JSON answer', () => {
  for (const [name, headers] of [
    ['with a length', { 'content-length': String(ANSWER.length), etag: '"1"', 'content-md5': 'x' }],
    ['without a length', {}],
  ] as const) {
    test(`${name}: the head fits the body, and the record has the provider’s name`, async (t) => {
      const { res, exchange, answer, run, ended } = aliased(t)
      const response = await answer({ ...JSON_TYPE, ...headers }, ANSWER.slice(0, 25))
      response.end(ANSWER.slice(25))
      await run()
      res.finish()
      assert.equal(res.body, NAMED)
      assert.deepEqual(ended(), completed(0))
      for (const header of ['content-length', 'etag', 'content-md5']) assert.equal(res.getHeader(header), undefined)
      const { responseModel, usage, downstreamBytes } = recordOf(exchange)
      assert.deepEqual([responseModel, usage?.outputTokens, downstreamBytes], ['gpt-5-2026', 1, NAMED.length])
    })
  }

  test('after megabytes of other fields', async (t) => {
    const { res, exchange, answer, run } = aliased(t, { path: '/v1/embeddings' })
    const data = `{"object":"list","data":[${'[0.123,"model"],'.repeat(100_000)}0],`
    const response = await answer(JSON_TYPE, data)
    response.end('"model":"gpt-5-2026","usage":{}}')
    await run()
    res.finish()
    assert.equal(res.body, `${data}"model":"fast","usage":{}}`)
    assert.equal(recordOf(exchange).responseModel, 'gpt-5-2026')
  })

  test('if the answer has secrets, which are masked', async (t) => {
    const { res, exchange, answer, run } = aliased(t)
    sendRequest(exchange, { secrets: new Secrets(['sk-0123456789abcdef']) })
    const response = await answer(JSON_TYPE, '{"model":"gpt-5","key":"sk-01234')
    response.end('56789abcdef"}')
    await run()
    res.finish()
    assert.equal(res.body, `{"model":"fast","key":"${'*'.repeat(19)}"}`)
  })

  test('if a hook has seen the answer, with the provider’s name', async (t) => {
    const seen: unknown[] = []
    const { res, answer, run } = aliased(t, {
      onAnswer: ({ body }) => void seen.push((body as { model: string }).model),
    })
    const response = await answer({ ...JSON_TYPE, 'content-length': String(ANSWER.length) }, ANSWER)
    response.end()
    await run()
    res.finish()
    assert.deepEqual([res.body, seen], [NAMED, ['gpt-5-2026']])
    assert.equal(res.getHeader('content-length'), String(NAMED.length))
  })

  test('if the answer becomes an event of a stream', async (t) => {
    const { res, delivery, answer, run } = aliased(t, { heartbeat: { beforeFirstByte: true } })
    delivery.sendEarlyHeaders()
    const response = await answer(JSON_TYPE, ANSWER)
    response.end()
    await run()
    res.finish()
    assert.ok(res.body.endsWith(`data: ${NAMED}\n\n`), res.body)
  })

  test('is not in an answer that breaks off within it, which fails', async (t) => {
    const { res, answer, run, ended } = aliased(t)
    const response = await answer(JSON_TYPE, '{"id":"c1","model":"gpt-5-20')
    response.end()
    await run()
    res.finish()
    assert.equal(ended().code, 'upstream_truncated')
  })

  test('is not in an error of the provider’s, which passes byte for byte', async (t) => {
    const { res, answer, run } = aliased(t)
    const error = '{"error":{"message":"no"},"model":"gpt-5-2026"}'
    const response = await answer({ ...JSON_TYPE, 'content-length': String(error.length) }, error, 404)
    response.end()
    await run()
    res.finish()
    assert.deepEqual([res.body, res.getHeader('content-length')], [error, String(error.length)])
  })

  test('is not in an answer of a protocol that names no model, whose length stays', async (t) => {
    const { res, answer, run } = aliased(t, { path: '/v2/chat' })
    const response = await answer({ ...JSON_TYPE, 'content-length': '13' }, '{"model":"x"}')
    response.end()
    await run()
    res.finish()
    assert.deepEqual([res.body, res.getHeader('content-length')], ['{"model":"x"}', '13'])
  })
})

test('the client’s name of the model is in each event of a stream, and the provider’s is in the record', async (t) => {
  const { res, exchange, answer, run, ended } = aliased(t)
  const body = chunk('Hello') + chunk(' world') + stop + DONE
  const response = await answer(SSE, body.slice(0, 100))
  response.end(body.slice(100))
  await run()
  res.finish()
  assert.ok(body.includes('gpt-5-2026'))
  assert.equal(res.body, body.replaceAll('gpt-5-2026', 'fast'))
  assert.deepEqual(ended(), completed(4))
  assert.equal(recordOf(exchange).responseModel, 'gpt-5-2026')
})

test('an error event of ours has the client’s name of the model', async (t) => {
  const { res, answer, run } = aliased(t, { path: '/v1/responses' })
  const created = { type: 'response.created', sequence_number: 0, response: { id: 'r1', model: 'gpt-5-2026' } }
  const response = await answer(SSE, `event: response.created\ndata: ${JSON.stringify(created)}\n\n`)
  response.destroy()
  await run()
  res.finish()
  const failed = res.body.split('\n\n').find((event) => event.startsWith('event: response.failed'))!
  assert.match(failed, /"id":"r1".*"model":"fast"/)
  assert.doesNotMatch(res.body, /gpt-5/)
})
