import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { beginningOf, cacheKeyIn } from '../../lib/formats/conversation.js'

describe('the cache key of a request is', () => {
  for (const [what, body, key] of [
    ["OpenAI's `prompt_cache_key`", { prompt_cache_key: 'k' }, 'k'],
    ["Anthropic's `metadata.user_id`", { metadata: { user_id: 'u' } }, 'u'],
    ['the first of both', { metadata: { user_id: 'u' }, prompt_cache_key: 'k' }, 'k'],
    ['the second if the first is empty', { metadata: { user_id: 'u' }, prompt_cache_key: '' }, 'u'],
    ['nothing if it is no string', { prompt_cache_key: 5, metadata: { user_id: ['u'] } }, undefined],
    ['nothing if it is inherited', Object.create({ prompt_cache_key: 'k' }), undefined],
    ['nothing in a body that is no object', 'prompt_cache_key', undefined],
    ['nothing without a body', undefined, undefined],
  ] as const) {
    test(what, () => assert.equal(cacheKeyIn(body), key))
  }
})

const user = (content: string) => ({ role: 'user', content })
const system = { role: 'system', content: 'Be brief' }
const developer = { role: 'developer', content: 'Be kind' }
const tools = [{ type: 'function', name: 'f' }]

describe('the beginning of a conversation is its system prompt, tools and first message', () => {
  for (const [protocol, body, beginning] of [
    [
      'OpenAI chat',
      { messages: [system, developer, user('1'), user('2')], tools },
      [system, developer, tools, user('1')],
    ],
    ['OpenAI responses', { instructions: 'Be brief', input: 'Hi', tools }, ['Be brief', tools, 'Hi']],
    ['OpenAI responses with items', { input: [user('1'), user('2')] }, [user('1')]],
    ['OpenAI completions', { prompt: 'Once' }, ['Once']],
    ['OpenAI completions with a list', { prompt: ['Once', 'Twice'] }, ['Once']],
    [
      'Anthropic',
      { system: [{ type: 'text', text: 'S' }], messages: [user('1')], tools },
      [[{ type: 'text', text: 'S' }], tools, user('1')],
    ],
    ['Gemini', { systemInstruction: { parts: [] }, contents: [user('1'), user('2')] }, [{ parts: [] }, user('1')]],
    ['Bedrock converse', { system: [], messages: [user('1')], toolConfig: { tools } }, [[], { tools }, user('1')]],
    ['Cohere', { messages: [system, user('1')] }, [system, user('1')]],
  ] as const) {
    test(protocol, () => assert.deepEqual(beginningOf(body), beginning))
  }

  test('and stays the same as the conversation grows', () => {
    const turns = [system, user('1'), { role: 'assistant', content: 'a' }, user('2')]
    const begun = beginningOf({ model: 'a', messages: turns.slice(0, 2), tools, stream: true })
    assert.deepEqual(beginningOf({ model: 'b', messages: turns, tools, temperature: 1 }), begun)
  })

  test('and is empty without them', () => {
    for (const body of [undefined, null, 'text', 5, [], {}, { model: 'm' }, { messages: [] }, { messages: {} }]) {
      assert.deepEqual(beginningOf(body), [], JSON.stringify(body))
    }
  })

  test('and reads a few messages only', () => {
    const messages = [...Array.from({ length: 20 }, () => system), user('1')]
    assert.equal(beginningOf({ messages }).length, 8)
  })
})
