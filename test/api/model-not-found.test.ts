import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { AiProxyError, modelNotFound, setClientFormat } from '../../lib/api/errors.js'
import { formatNames, getFormat } from '../../lib/formats/index.js'

describe('a model that no target serves', () => {
  test('is a failure with its own code', () => {
    const { code, status, outcome, limit, headers } = modelNotFound('x', ['a'])
    assert.deepEqual([code, status, outcome, limit, headers], ['model_not_found', 404, 'rejected', undefined, {}])
  })

  const names = (count: number) => Array.from({ length: count }, (_, at) => `m${at}`)
  for (const [name, known, message] of [
    ['names the models that exist', ['fast', 'big'], 'The model x does not exist here. There are: fast, big'],
    ['names up to 19', names(19), `The model x does not exist here. There are: ${names(19).join(', ')}`],
    ['names none of 20', names(20), 'The model x does not exist here'],
    ['names none if some are not known', undefined, 'The model x does not exist here'],
    ['names none if there is none', [], 'The model x does not exist here'],
    ['names none if they are too long', Array(5).fill('x'.repeat(250)), 'The model x does not exist here'],
  ] as const) {
    test(name, () => assert.equal(modelNotFound('x', known).message, message))
  }

  test('has a name that is cut if it is long', () => {
    const { message } = modelNotFound('y'.repeat(10_000), ['a'])
    assert.equal(message, `The model ${'y'.repeat(256)}… does not exist here. There are: a`)
  })

  for (const name of formatNames) {
    test(`is an error in the protocol of ${name}`, () => {
      const failure = modelNotFound('x', ['a'])
      setClientFormat(failure, getFormat(name))
      const body = failure.toBody()
      assert.ok(getFormat(name).isErrorBody(body))
      assert.match(JSON.stringify(body), /The model x does not exist here/)
      assert.match(JSON.stringify(body), /model_not_found/)
    })
  }
})

test('no target: the client may try again', () => {
  const failure = new AiProxyError('no_target', 'No target')
  assert.deepEqual([failure.status, failure.outcome, failure.headers], [503, 'rejected', { 'retry-after': '1' }])
  const later = new AiProxyError('no_target', 'No target', { headers: { 'retry-after': '30' } })
  assert.deepEqual(later.headers, { 'retry-after': '30' })
})
