import assert from 'node:assert/strict'
import { test } from 'node:test'
import { chooseProvider, chooseProviders } from '../../example-app/providers/choose-providers.js'

test('a key without a target selects OpenAI', async () => {
  const { target, auth, model, local } = await chooseProvider({ OPENAI_API_KEY: 'sk-1' })
  assert.equal(target, 'https://api.openai.com')
  assert.deepEqual(auth, { headers: { authorization: 'Bearer sk-1' } })
  assert.ok(model)
  assert.equal(local, false)
})

test('each format has its own key; a format without a key gets a stand-in', async (t) => {
  const providers = await chooseProviders({ ANTHROPIC_API_KEY: 'sk-2', GEMINI_API_KEY: 'sk-3', GEMINI_MODEL: 'mine' })
  t.after(() => Promise.all(providers.map((provider) => provider.close())))
  const [openai, anthropic, gemini] = providers
  assert.deepEqual([openai?.route, anthropic?.route, gemini?.route], ['/ai', '/anthropic', '/gemini'])
  assert.deepEqual([openai?.local, anthropic?.local, gemini?.local], [true, false, false])
  assert.equal(anthropic?.target, 'https://api.anthropic.com')
  assert.deepEqual(anthropic?.auth, { headers: { 'x-api-key': 'sk-2' } })
  assert.equal(gemini?.target, 'https://generativelanguage.googleapis.com')
  assert.deepEqual(gemini?.auth, { headers: { 'x-goog-api-key': 'sk-3' } })
  assert.equal(gemini?.model, 'mine')
})

test('AI_TARGET works without a key, and may end in /v1 as SDKs expect', async () => {
  const { target, auth, model, name } = await chooseProvider({
    AI_TARGET: 'http://me:secret@localhost:8000/llm/v1/',
    AI_MODEL: 'llama',
    OPENAI_API_KEY: '',
  })
  assert.equal(target, 'http://me:secret@localhost:8000/llm')
  assert.equal(auth, undefined)
  assert.equal(model, 'llama')
  assert.equal(name, 'localhost:8000')
})

for (const wrong of ['localhost:8000', 'not a url', 'file:///tmp']) {
  test(`AI_TARGET=${wrong} is rejected with the fix`, async () => {
    await assert.rejects(chooseProvider({ AI_TARGET: wrong }), /AI_TARGET must be a URL such as http:/)
  })
}

test('without settings, the stand-ins on this machine are used', async () => {
  const provider = await chooseProvider({ OPENAI_API_KEY: '', AI_TARGET: '' })
  assert.equal(provider.local, true)
  assert.equal(new URL(provider.target).hostname, '127.0.0.1')
  await provider.close()
})
