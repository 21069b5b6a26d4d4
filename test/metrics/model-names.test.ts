import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ModelNames } from '../../lib/metrics/model-names.js'
import { recordOf, unknownModelRecord } from './support/records.js'

const OTHER = 'other'

describe('the names of models in metrics', () => {
  test('a model that has answered keeps its name, even in later failures', () => {
    const names = new ModelNames({}, OTHER)
    assert.equal(names.of(recordOf()), 'gpt-4o')
    assert.equal(names.of(recordOf({ status: 500 })), 'gpt-4o')
    assert.equal(names.of(recordOf({ outcome: 'rejected', code: 'invalid_request', status: 400 })), 'gpt-4o')
  })

  test('there are maxModels names, and models that have one keep it', () => {
    const names = new ModelNames({ maxModels: 2 }, OTHER)
    const seen = ['a', 'b', 'c', 'a', 'b', 'c'].map((model) => names.of(recordOf({ model })))
    assert.deepEqual(seen, ['a', 'b', OTHER, 'a', 'b', OTHER])
  })

  test('false sets no maximum, not even for models that have only failed', () => {
    const names = new ModelNames({ maxModels: false }, OTHER)
    const models = Array.from({ length: 300 }, (_, i) => `m${i}`)
    const failed = { status: 500, providerStatus: 500, outcome: 'provider_error' } as const
    assert.deepEqual(
      models.map((model) => names.of(recordOf({ model, ...failed }))),
      models,
    )
  })

  test('by default there is room for 100', () => {
    const names = new ModelNames({}, OTHER)
    const seen = Array.from({ length: 101 }, (_, i) => names.of(recordOf({ model: `m${i}` })))
    assert.deepEqual(seen.slice(-2), ['m99', OTHER])
  })

  for (const [what, failed] of Object.entries({
    'the provider does not know': unknownModelRecord('made-up'),
    'the proxy refused': recordOf({ model: 'made-up', outcome: 'rejected', code: 'model_not_allowed', status: 403 }),
    'the provider rejected after the response was opened early': recordOf({
      model: 'made-up',
      outcome: 'upstream_error',
      code: 'upstream_error',
      status: 200,
    }),
    'the client did not wait for, after the response was opened early': recordOf({
      model: 'made-up',
      outcome: 'client_disconnect',
      firstByteMs: undefined,
    }),
    'got no answer': recordOf({ model: 'made-up', outcome: 'client_disconnect', status: undefined }),
    'was redirected': recordOf({ model: 'made-up', status: 302 }),
  })) {
    test(`a name that ${what} uses no slot`, () => {
      const names = new ModelNames({ maxModels: 1 }, OTHER)
      assert.equal(names.of(failed), OTHER)
      assert.equal(names.of(recordOf({ model: 'real' })), 'real')
    })
  }

  test('listed models have names from the start, and use no slot', () => {
    const names = new ModelNames({ models: ['listed'], maxModels: 1 }, OTHER)
    assert.equal(names.of(unknownModelRecord('listed')), 'listed')
    assert.equal(names.of(recordOf({ model: 'a' })), 'a')
    assert.equal(names.of(recordOf({ model: 'b' })), OTHER)
  })

  test('maxModels 0: only listed models have names', () => {
    const names = new ModelNames({ models: ['listed'], maxModels: 0 }, OTHER)
    assert.deepEqual([names.of(recordOf({ model: 'listed' })), names.of(recordOf())], ['listed', OTHER])
  })

  test("if the request names no model, the provider's name is used, if there is one", () => {
    const names = new ModelNames({}, OTHER)
    assert.equal(names.of(recordOf({ model: undefined })), 'gpt-4o-2024-08-06')
    assert.equal(names.of(recordOf({ model: undefined, responseModel: undefined })), undefined)
  })

  test('a model that only fails gets a name, up to half of the slots', () => {
    const names = new ModelNames({ maxModels: 4 }, 'other')
    const failed = (model: string, status: number) =>
      names.of(recordOf({ model, outcome: 'provider_error', status, usage: undefined }))
    assert.equal(failed('gpt-4o', 503), 'gpt-4o')
    assert.equal(failed('gpt-5', 429), 'gpt-5')
    assert.equal(failed('made-up', 404), 'other')
    assert.equal(failed('one-more', 500), 'other', 'half of them are left for those that answer')
    assert.equal(names.of(recordOf({ model: 'answers' })), 'answers')
  })
})
