import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { compileModelRules } from '../../lib/options/models.js'
import { admitModel, furtherModels } from '../../lib/request/models.js'
import { edited, none } from './editing.js'

describe('the allowed models', () => {
  test('are all models if the option is not set', () => assert.equal(compileModelRules(undefined), undefined))

  for (const [rules, allowed, refused] of [
    [['gpt-5'], ['gpt-5'], ['gpt-5-mini', 'GPT-5', 'xgpt-5', '', 'constructor']],
    [['gpt-5', 'o3'], ['gpt-5', 'o3'], ['o1']],
    [[/^gpt-5/], ['gpt-5', 'gpt-5-mini'], ['my-gpt-5']],
    [[/mini$/i], ['gpt-5-MINI'], ['mini-gpt']],
    [['a.b'], ['a.b'], ['axb']],
    [['o3', /^gpt-/], ['o3', 'gpt-4'], ['o3-mini']],
    [[], [], ['gpt-5', '']],
  ] as const) {
    test(`[${rules.join(', ')}]`, () => {
      const allows = compileModelRules(rules)!
      for (const model of allowed) assert.equal(allows(model), true, model)
      for (const model of refused) assert.equal(allows(model), false, model)
    })
  }

  test('are no wildcards: that is an error', () =>
    assert.throws(() => compileModelRules(['o3', 'gpt-*']), /^TypeError: aiProxy: models\[1\] .*'gpt-\*'$/))

  test('are matched afresh each time by a RegExp with state', () => {
    for (const flags of ['g', 'y', 'gy']) {
      const pattern = new RegExp('^gpt', flags)
      pattern.lastIndex = 2
      const allows = compileModelRules([pattern])!
      for (let time = 0; time < 3; time++) assert.equal(allows('gpt-5'), true)
      assert.equal(pattern.lastIndex, 2, 'the app’s own is left alone')
    }
  })

  test('are fixed when the middleware is created, even if the list changes later', () => {
    const rules = ['a']
    const allows = compileModelRules(rules)!
    rules.push('b')
    assert.equal(allows('b'), false)
  })
})

describe('a request', () => {
  const allows = compileModelRules(['gpt-5'])!

  test('for an allowed model passes', () => assert.doesNotThrow(() => admitModel(allows, 'gpt-5')))

  test('for another model is rejected, naming it', () => {
    assert.throws(() => admitModel(allows, 'gpt-4'), {
      code: 'model_not_allowed',
      status: 403,
      outcome: 'rejected',
      message: 'The model gpt-4 is not allowed here',
    })
  })

  test('without a model is rejected, because the provider would choose one', () => {
    assert.throws(() => admitModel(allows, undefined), { code: 'model_not_allowed', message: /names no model/ })
  })

  test('with a model name that is too long is rejected without asking the list', () => {
    const asked: string[] = []
    const all = (model: string) => asked.push(model) > 0
    const longest = 'm'.repeat(256)
    admitModel(all, longest)
    assert.throws(() => admitModel(all, `${longest}m`), {
      code: 'model_not_allowed',
      message: "The model's name has more than 256 characters",
    })
    assert.deepEqual(asked, [longest])
  })
})

describe('the model check', () => {
  const models = ['m', /^ok-/]

  for (const text of ['{"model":"x"}', '{}', '{"model":5}', '[]', '{"x":{"model":"m"}}']) {
    test(`rejects ${text}`, async () => {
      await assert.rejects(edited(text, { models }), { code: 'model_not_allowed', status: 403 })
    })
  }

  test('rejects a body that passes unread, because its model is unknown', async () => {
    await assert.rejects(edited({ ...none, headers: { 'content-type': 'audio/wav' } }, { models }), {
      code: 'model_not_allowed',
    })
  })

  for (const text of ['{"model":"x","model":"m"}', '{"model":"m","a":1,"mo\\u0064el":"m"}']) {
    test(`rejects a duplicate model: ${text}`, async () => {
      await assert.rejects(edited(text, { models }), { code: 'invalid_request', message: /has "[^"]*" twice/ })
    })
  }

  test('leaves a duplicate model to the provider if all models are allowed', async () => {
    assert.equal((await edited('{"model":"x","model":"m"}')).text, '{"model":"x","model":"m"}')
  })

  // Go's JSON, and so Ollama's, takes a field of whatever case for the one that it looks for, the last one of all.
  for (const text of ['{"model":"m","Model":"x"}', '{"MODEL":"x","model":"m"}']) {
    test(`rejects a duplicate model in another case: ${text}`, async () => {
      await assert.rejects(edited(text, { models }), { code: 'invalid_request' })
    })
  }

  test('rejects fallback models that are not allowed', async () => {
    assert.equal((await edited('{"model":"m","models":["ok-1","m"]}', { models })).exchange.model, 'm')
    for (const text of ['{"model":"m","models":["ok-1","x"]}', '{"model":"m","models":[{"id":"m"}]}']) {
      await assert.rejects(edited(text, { models }), { code: 'model_not_allowed' })
    }
    await assert.rejects(edited('{"model":"m","Models":["x"]}', { models }), { code: 'invalid_request' })
  })

  test('rejects fallback models that are not names, even if every name is allowed', async () => {
    await assert.rejects(edited('{"model":"m","models":[{"id":"m"}]}', { models: [/^/] }), {
      code: 'model_not_allowed',
    })
  })

  test('rejects duplicate lists of fallback models', async () => {
    const text = '{"model":"m","models":["x"],"models":["ok-1"]}'
    await assert.rejects(edited(text, { models }), { code: 'invalid_request' })
  })

  test('checks a model in the path, whatever the body says', async () => {
    const path = '/v1beta/models/ok-1:generateContent'
    assert.equal((await edited('{"model":"x"}', { models, path })).exchange.model, 'ok-1')
    const other = '/v1beta/models/x:generateContent'
    await assert.rejects(edited('{"model":"m"}', { models, path: other }), { code: 'model_not_allowed' })
  })

  test('the model of a path counts in whatever case the path is written, and with a slash at its end', async () => {
    for (const path of [
      '/openai/Deployments/other/chat/completions',
      '/OPENAI/DEPLOYMENTS/other/chat/completions',
      '/v1/Engines/other/completions',
      '/v1beta/Models/other:generateContent',
      '/Model/other/Converse',
      '/serving-endpoints/other/Invocations',
      '/serving-endpoints/other/invocations/',
    ]) {
      const options = { models: ['mine'], endpoints: 'all' as const, path }
      await assert.rejects(edited('{"model":"mine"}', options), { code: 'model_not_allowed' }, path)
      await edited('{"model":"other"}', { ...options, path: path.replace('other', 'mine') })
    }
  })

  test('needs no model for a read-only request without a body', async () => {
    await edited(none, { method: 'GET', path: '/v1/models', models })
    await edited(none, { method: 'HEAD', path: '/v1/models', models })
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) {
      await assert.rejects(edited(none, { method, path: '/v1/models', models }), { code: 'model_not_allowed' })
    }
  })

  for (const method of ['GET', 'HEAD']) {
    test(`needs a model for a request with a body, whatever its method is: ${method}`, async () => {
      await edited('{"model":"m"}', { method, models })
      for (const text of ['{"model":"x"}', '{}']) {
        await assert.rejects(edited(text, { method, models }), { code: 'model_not_allowed' })
      }
    })
  }

  for (const text of [
    '{"model":"m","models":"x"}',
    '{"model":"m","fallbacks":["ok-1","x"]}',
    '{"model":"m","fallbacks":[{"m":["ok-1"]}]}',
    '{"model":"m","fallbacks":[{"model":"x"}]}',
    '{"model":"m","fallback_models":["x"]}',
    '{"model":"m","fallbacks":[{"model":"ok-1","fallbacks":["x"]}]}',
    '{"model":"m","content_policy_fallbacks":[{"m":["x"]}]}',
    '{"model":"m","extra_body":{"context_window_fallbacks":[{"m":["ok-1","x"]}]}}',
    '{"model":"m","providerOptions":{"gateway":{"models":["x"]}}}',
    '{"model":"m","extra_body":{"model":"x"}}',
    '{"model":"m","extra_body":{"models":["m","x"]}}',
    '{"model":"m","extra_body":{"tools":[{"type":"image_generation","model":"x"}]}}',
    '{"model":"m","tools":[{"type":"function"},{"type":"image_generation","model":"x"}]}',
    '{"model":"m","tools":[{"type":"openrouter:fusion","parameters":{"model":"x"}}]}',
    '{"model":"m","tools":[{"type":"openrouter:fusion","parameters":{"analysis_models":["m","x"]}}]}',
    '{"model":"m","plugins":[{"id":"web"},{"id":"fusion","model":"x"}]}',
    '{"model":"m","extra_body":{"plugins":[{"id":"fusion","analysis_models":["x"]}]}}',
    '{"model":"m","compound_custom":{"models":{"answering_model":"m","reasoning_model":"x"}}}',
    '{"model":"m","extra_body":{"compound_custom":{"models":"x"}}}',
    '{"model":"m","context_window_fallback_dict":{"m":"x"}}',
    '{"model":"m","user_config":{"model_list":[{"model_name":"m","litellm_params":{"model":"x"}}]}}',
    '{"model":"m","extra_body":{"user_config":{"model":"m"}}}',
    '{"model":"m","router_settings_override":{"fallbacks":[{"m":["x"]}]}}',
    '{"model":"m","model_list":[{"model_name":"m","model":"m","litellm_params":{"model":"x"}}]}',
  ]) {
    test(`rejects ${text}`, async () => {
      await assert.rejects(edited(text, { models }), { code: 'model_not_allowed' })
    })
  }

  for (const text of [
    '{"model":"m","tools":[{"type":"image_generation","model":"x","model":"ok-1"}]}',
    '{"model":"m","tools":[{"type":"image_generation","Model":"x"}]}',
    '{"model":"m","fallbacks":[{"model":"x","model":"ok-1"}]}',
    '{"model":"m","extra_body":{"fallbacks":[{"model":"ok-1","Model":"x"}]}}',
    '{"model":"m","plugins":[{"id":"fusion","model":"x","model":"m"}]}',
    '{"model":"m","tools":[{"parameters":{"model":"x"},"parameters":{}}]}',
    '{"model":"m","compound_custom":{"models":{"reasoning_model":"x"},"models":{}}}',
  ]) {
    test(`rejects what can be read in two ways: ${text}`, async () => {
      await assert.rejects(edited(text, { models }), { code: 'invalid_request' })
    })
  }

  for (const text of [
    '{"model":"m","models":null}',
    '{"model":"m","context_window_fallbacks":[{"m":["ok-1"]}],"providerOptions":{"gateway":{"models":["ok-1"]}}}',
    '{"model":"m","fallbacks":["ok-1",{"model":"ok-2"}],"fallback_models":[]}',
    '{"model":"m","tools":[{"type":"function","function":{"name":"model"}},{"model":"ok-3"}]}',
    '{"model":"m","tools":[{"name":"f","parameters":{"type":"object","properties":{"model":{"type":"string"}}}}]}',
    '{"model":"m","plugins":[{"id":"fusion","model":"m","analysis_models":["ok-1"]},{"id":"web"}]}',
    '{"model":"m","compound_custom":{"models":{"answering_model":"m"},"tools":{"enabled_tools":["web"]}}}',
  ]) {
    test(`accepts ${text}`, async () => assert.equal((await edited(text, { models })).text, text))
  }
})

describe('further models', () => {
  for (const [place, naming] of [
    ['fallbacks', (list: string[]) => ({ fallbacks: list })],
    ['fallbacks in extra_body', (list: string[]) => ({ extra_body: { models: list } })],
    ['fallbacks for some failures', (list: string[]) => ({ context_window_fallbacks: [{ m: list }] })],
    ['models of a tool', (list: string[]) => ({ tools: [{ parameters: { analysis_models: list } }] })],
    ['models of a plugin', (list: string[]) => ({ plugins: [{ analysis_models: list }] })],
    ['models of a system', (list: string[]) => ({ compound_custom: { models: list } })],
    ['models of a gateway', (list: string[]) => ({ providerOptions: { gateway: { models: list } } })],
  ] as const) {
    test(`are read one by one: ${place}`, () => {
      const list = ['a', 'b', 'c']
      Object.defineProperty(list, 2, { get: () => assert.fail('was read') })
      const found = furtherModels(naming(list))[Symbol.iterator]()
      assert.deepEqual([found.next().value, found.next().value], ['a', 'b'])
    })
  }
})
