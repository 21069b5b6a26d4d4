import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { LLMock } from '@copilotkit/aimock'
import { mockedText, startAimock } from '../e2e/support/aimock.js'
import { post } from '../e2e/support/client.js'
import { type ForwardProxy, startForwardProxy } from '../e2e/support/forward-proxy.js'
import type { Owner } from '../e2e/support/provider.js'
import { type Block, pages } from './pages.js'
import { type Running, startTogether } from './running.js'
import { isProgram, makeWorkshop, missingPackages } from './workshop.js'

/** Recipes that are tested for more than an answer, each in a file of its own. */
const elsewhere = [
  // These need Redis, or say that they have none.
  'several-machines',
  'resume-several-machines',
  'cache-for-tests',
  'testing',
  'next',
  'serverless',
  'bun',
  'deno',
]

const servers = pages
  .flatMap((page) => page.blocks)
  .filter((block) => isProgram(block) && /\blisten\(/.test(block.code))
  .filter(({ page }) => !elsewhere.some((name) => page === `docs/recipes/${name}.md`))

interface Question {
  readonly at: string
  readonly body?: object
  readonly headers?: Record<string, string>
  /** The answer in whole: all text, if it is one. */
  readonly answer: RegExp
}

const messages = [{ role: 'user', content: 'Hello' }]
const chat = { model: 'gpt-4.1-mini', stream: true, messages }
const openai: Question = { at: '/ai/v1/chat/completions', body: chat, answer: /data: \[DONE\]\n\n$/ }
const bedrock: Question = {
  at: '/bedrock/model/anthropic.claude/converse-stream',
  body: { messages: [{ role: 'user', content: [{ text: 'Hello' }] }] },
  answer: /messageStop/,
}

/** What a page's clients ask for, if it is not OpenAI's chat below /ai. */
const questions: Record<string, Question> = {
  'recipes/anthropic': {
    at: '/anthropic/v1/messages',
    body: { model: 'claude', max_tokens: 100, stream: true, messages },
    answer: /event: message_stop/,
  },
  'recipes/azure-openai': { ...openai, at: '/azure/openai/deployments/gpt/chat/completions' },
  'recipes/bedrock': bedrock,
  'recipes/from-http-proxy-middleware': { ...openai, at: '/ai/chat' },
  'recipes/gemini': {
    at: '/gemini/v1beta/models/gemini-2.0-flash:streamGenerateContent?alt=sse',
    body: { contents: [{ role: 'user', parts: [{ text: 'Hello' }] }] },
    answer: /"finishReason":"STOP"/,
  },
  'recipes/ollama': { at: '/ollama/api/chat', body: { model: 'llama3.3', messages }, answer: /"done":true/ },
  'recipes/keys-of-your-own': { ...openai, headers: { authorization: 'Bearer example-key-for-ada' } },
  'recipes/canary': { ...openai, body: { ...chat, model: 'chat' } },
  'recipes/litellm': { ...openai, body: { ...chat, model: 'fast' } },
  'recipes/local-model-first': { ...openai, body: { ...chat, model: 'small' } },
  'recipes/two-keys': {
    at: '/ai/v1/messages',
    body: { model: 'claude', max_tokens: 100, stream: true, messages },
    answer: /event: message_stop/,
  },
  'recipes/vllm': {
    ...openai,
    at: '/vllm/v1/chat/completions',
    body: { ...chat, model: 'Qwen/Qwen2.5-7B-Instruct' },
  },
}

describe('every app in the README and in docs/ serves its clients', () => {
  const cleaning: (() => unknown)[] = []
  const owner: Owner = { after: (clean) => void cleaning.unshift(clean as () => unknown) }
  let provider: LLMock
  let running: (block: Block) => Promise<Running>
  let corporate: ForwardProxy
  before(async () => {
    const workshop = makeWorkshop()
    cleaning.push(workshop.remove)
    provider = await startAimock(owner)
    corporate = await startForwardProxy(owner)
    // Two apps cannot both have prom-client's own registry in one process.
    const isApart = ({ page, code }: Block) => page === 'docs/metrics.md' && code.includes('prom-client')
    const there = servers.filter((block) => missingPackages(block).length === 0)
    const started = [there.filter(isApart), there.filter((block) => !isApart(block))].map((blocks) => {
      const adapted = new Map(
        blocks.map((block) => [
          block,
          { ...block, code: block.code.replace('http://proxy.example.com:3128', corporate.url) },
        ]),
      )
      const start = startTogether(owner, [...adapted.values()], workshop.folder, provider.url)
      return { blocks, start: (block: Block) => start(adapted.get(block)!) }
    })
    running = (block) => started.find(({ blocks }) => blocks.includes(block))!.start(block)
  })
  after(async () => {
    for (const clean of cleaning) await clean()
  })

  for (const block of servers) {
    const missing = missingPackages(block)
    const skip = missing.length > 0 && `${missing.join(', ')} is not installed`
    test(`${block.page}, ${block.heading}, block ${block.number}`, { skip }, async () => {
      const { url, printed } = await running(block)
      const { at, body, headers, answer } = questions[block.page.replace(/^docs\/|\.md$/g, '')] ?? openai
      const viaProxy = corporate.asked.length
      const response = await post(`${url}${at}`, body, { headers: { 'x-user': 'ann', ...headers } })
      const text = await response.text()
      assert.equal(response.status, 200, `${text}\n${printed()}`)
      assert.match(text, answer)
      const pieces = [...text.matchAll(/"content":"([^"]*)"/g)].map(([, piece]) => piece)
      if (answer === openai.answer) assert.equal(pieces.join(''), mockedText)
      assert.equal(corporate.asked.length - viaProxy, block.code.includes('proxy.example.com') ? 1 : 0)
      assert.doesNotMatch(printed(), /Warning|\bError\b/)
    })
  }
})
