import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Registry } from 'prom-client'
import { builtInFormats } from '../../lib/formats/index.js'
import type { AiProxyOptions, FormatName, Prices } from '../../lib/index.js'
import { prometheusObserver } from '../../lib/prometheus.js'
import { samplesOf } from '../metrics/support/scrape.js'
import { startApp } from './support/app.js'
import { post } from './support/client.js'
import { type Owner, startProvider } from './support/provider.js'
import { streams } from './support/streams.js'

/** Each part has a price of its own, so that the sum tells how often each token was charged. */
const PRICES = { input: 1, cachedInput: 1_000, cacheWrite: 1_000_000, output: 1e9, reasoning: 1e12 }
const model = 'model-1'

interface Charged {
  readonly input?: number
  readonly cached?: number
  readonly written?: number
  readonly output?: number
  readonly reasoning?: number
}

interface Golden {
  readonly format: FormatName
  readonly why: string
  readonly path: string
  readonly answer: object
  readonly charged: Charged
}

const openaiChat = (usage: object) => ({
  model,
  choices: [{ message: { content: 'Hi' }, finish_reason: 'stop' }],
  usage,
})

/** Usage as each provider says it, and what each of its tokens is charged as, once. */
const golden: readonly Golden[] = [
  {
    format: 'openai-chat',
    why: 'cached input is part of the input, reasoning of the output',
    path: '/v1/chat/completions',
    answer: openaiChat({
      prompt_tokens: 100,
      completion_tokens: 50,
      total_tokens: 150,
      prompt_tokens_details: { cached_tokens: 30 },
      completion_tokens_details: { reasoning_tokens: 20 },
    }),
    charged: { input: 70, cached: 30, output: 30, reasoning: 20 },
  },
  {
    format: 'openai-chat',
    why: 'xAI counts reasoning outside the output, as its total says',
    path: '/v1/chat/completions',
    answer: openaiChat({
      prompt_tokens: 100,
      completion_tokens: 50,
      total_tokens: 170,
      completion_tokens_details: { reasoning_tokens: 20 },
    }),
    charged: { input: 100, output: 50, reasoning: 20 },
  },
  {
    format: 'openai-completions',
    why: 'plain input and output',
    path: '/v1/completions',
    answer: {
      model,
      choices: [{ text: 'Hi', finish_reason: 'stop' }],
      usage: { prompt_tokens: 9, completion_tokens: 4, total_tokens: 13 },
    },
    charged: { input: 9, output: 4 },
  },
  {
    format: 'openai-responses',
    why: 'cached input is part of the input, reasoning of the output',
    path: '/v1/responses',
    answer: {
      model,
      status: 'completed',
      output: [{ type: 'message', content: [{ type: 'output_text', text: 'Hi' }] }],
      usage: {
        input_tokens: 100,
        input_tokens_details: { cached_tokens: 40 },
        output_tokens: 60,
        output_tokens_details: { reasoning_tokens: 50 },
        total_tokens: 160,
      },
    },
    charged: { input: 60, cached: 40, output: 10, reasoning: 50 },
  },
  {
    format: 'openai-embeddings',
    why: 'input alone',
    path: '/v1/embeddings',
    answer: { model, data: [{ embedding: [0.1] }], usage: { prompt_tokens: 8, total_tokens: 8 } },
    charged: { input: 8 },
  },
  {
    format: 'anthropic',
    why: 'the cache is outside the input',
    path: '/v1/messages',
    answer: {
      type: 'message',
      model,
      content: [{ type: 'text', text: 'Hi' }],
      stop_reason: 'end_turn',
      usage: { input_tokens: 10, cache_read_input_tokens: 300, cache_creation_input_tokens: 200, output_tokens: 5 },
    },
    charged: { input: 10, cached: 300, written: 200, output: 5 },
  },
  {
    format: 'gemini',
    why: 'the cache is inside the input, thoughts outside the output',
    path: '/v1beta/models/model-1:generateContent',
    answer: {
      modelVersion: model,
      candidates: [{ content: { parts: [{ text: 'Hi' }] }, finishReason: 'STOP' }],
      usageMetadata: {
        promptTokenCount: 100,
        cachedContentTokenCount: 60,
        candidatesTokenCount: 7,
        thoughtsTokenCount: 13,
        totalTokenCount: 120,
      },
    },
    charged: { input: 40, cached: 60, output: 7, reasoning: 13 },
  },
  {
    format: 'gemini-interactions',
    why: 'thoughts outside the output',
    path: '/v1beta/interactions',
    answer: {
      id: 'v1_1',
      model,
      status: 'completed',
      outputs: [{ type: 'text', text: 'Hi' }],
      usage: { total_input_tokens: 7, total_output_tokens: 2, total_thought_tokens: 30, total_tokens: 39 },
    },
    charged: { input: 7, output: 2, reasoning: 30 },
  },
  {
    format: 'bedrock-converse',
    why: 'the cache is outside the input',
    path: '/model/model-1/converse',
    answer: {
      output: { message: { role: 'assistant', content: [{ text: 'Hi' }] } },
      stopReason: 'end_turn',
      usage: {
        inputTokens: 10,
        outputTokens: 5,
        totalTokens: 515,
        cacheReadInputTokens: 300,
        cacheWriteInputTokens: 200,
      },
    },
    charged: { input: 10, cached: 300, written: 200, output: 5 },
  },
  {
    format: 'bedrock-invoke',
    why: "Claude's figures",
    path: '/model/model-1/invoke',
    answer: {
      type: 'message',
      model,
      content: [{ type: 'text', text: 'Hi' }],
      stop_reason: 'end_turn',
      usage: { input_tokens: 10, cache_read_input_tokens: 30, cache_creation_input_tokens: 20, output_tokens: 5 },
    },
    charged: { input: 10, cached: 30, written: 20, output: 5 },
  },
  {
    format: 'ollama-chat',
    why: 'plain input and output',
    path: '/api/chat',
    answer: {
      model,
      message: { content: 'Hi' },
      done: true,
      done_reason: 'stop',
      prompt_eval_count: 12,
      eval_count: 3,
    },
    charged: { input: 12, output: 3 },
  },
  {
    format: 'ollama-generate',
    why: 'plain input and output',
    path: '/api/generate',
    answer: { model, response: 'Hi', done: true, done_reason: 'stop', prompt_eval_count: 12, eval_count: 3 },
    charged: { input: 12, output: 3 },
  },
  {
    format: 'cohere',
    why: 'tokens, not billed units of another kind',
    path: '/v2/chat',
    answer: {
      id: '1',
      finish_reason: 'COMPLETE',
      message: { role: 'assistant', content: [{ type: 'text', text: 'Hi' }] },
      usage: { tokens: { input_tokens: 21, output_tokens: 6 } },
    },
    charged: { input: 21, output: 6 },
  },
  {
    format: 'openai-media',
    why: 'plain input and output',
    path: '/v1/images/generations',
    answer: { data: [{ b64_json: 'aGk=' }], usage: { input_tokens: 50, output_tokens: 1000, total_tokens: 1050 } },
    charged: { input: 50, output: 1000 },
  },
  {
    format: 'tgi',
    why: 'plain output, and as much input as it lists',
    path: '/generate_stream',
    answer: {
      generated_text: 'Hi',
      details: { finish_reason: 'length', generated_tokens: 4, prefill: [{ id: 1 }, { id: 2 }, { id: 3 }] },
    },
    charged: { input: 3, output: 4 },
  },
  {
    format: 'llama-cpp',
    why: 'what the cache saved is part of the input, what it holds is not',
    path: '/completion',
    answer: {
      ...{ content: 'Hi', model, stop: true, stop_type: 'eos', tokens_predicted: 18, tokens_evaluated: 60 },
      ...{ tokens_cached: 77, timings: { cache_n: 32 } },
    },
    charged: { input: 28, cached: 32, output: 18 },
  },
]

/** The same of streams, in which usage is spread over several events, or repeated by them. */
const goldenStreams: Readonly<Record<keyof typeof streams, Charged>> = {
  chat: { input: 11, output: 22 },
  completions: { input: 3, output: 20 },
  responses: { input: 5, cached: 4, output: 19, reasoning: 2 },
  anthropic: { input: 7, cached: 100, written: 50, output: 19 },
  geminiSse: { input: 5, output: 18, reasoning: 8 },
  geminiArray: { input: 5, output: 18, reasoning: 8 },
  converse: { input: 12, cached: 3, output: 24 },
  invoke: { input: 7, cached: 100, written: 50, output: 19 },
  ollamaChat: { input: 4, output: 17 },
  ollamaGenerate: { input: 4, output: 17 },
  cohere: { input: 28, cached: 32, output: 18 },
  llamaCpp: { input: 28, cached: 32, output: 18 },
}

function priceOf({ input = 0, cached = 0, written = 0, output = 0, reasoning = 0 }: Charged): number {
  const { input: i, cachedInput: c, cacheWrite: w, output: o, reasoning: r } = PRICES
  return (input * i + cached * c + written * w + output * o + reasoning * r) / 1e6
}

async function asked(t: Owner, path: string, answer: object, given: Partial<AiProxyOptions>, status = 200) {
  const provider = await startProvider(t, { onCall: (call) => call.json(status, answer) })
  const app = await startApp(t, { target: provider.url, endpoints: 'all', warnings: false, ...given })
  const response = await fetch(app.url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ model, messages: [] }),
  })
  await response.text()
  return app.record()
}

describe('cost charges each token once', () => {
  for (const { format, why, path, answer, charged } of golden) {
    test(`${format}: ${why}`, async (t) => {
      const record = await asked(t, path, answer, { prices: { [model]: PRICES } })
      assert.equal(record.format, format)
      assert.deepEqual([record.cost, record.costEstimated], [priceOf(charged), false])
    })
  }

  for (const [name, charged] of Object.entries(goldenStreams)) {
    test(`a stream: ${name}`, async (t) => {
      const { path, request, contentType, frames, format } = streams[name as keyof typeof streams]
      const provider = await startProvider(t, {
        onCall: ({ res }) => res.writeHead(200, { 'content-type': contentType }).end(Buffer.concat(frames)),
      })
      const prices = Object.fromEntries(['', 'anthropic.'].map((maker) => [`${maker}model-of-the-test`, PRICES]))
      const app = await startApp(t, { target: provider.url, endpoints: 'all', warnings: false, prices })
      await (await post(app.url + path, request)).arrayBuffer()
      const record = await app.record()
      assert.equal(record.format, format)
      assert.deepEqual([record.cost, record.costEstimated], [priceOf(charged), false])
    })
  }

  test('in each format', () => {
    const formats = new Set(golden.map(({ format }) => format))
    assert.deepEqual(
      builtInFormats.map(({ name }) => name).filter((name) => !formats.has(name)),
      [],
    )
  })
})

describe('cost', () => {
  const { path, answer } = golden[0]!
  const half: Prices = { other: { input: 5, output: 7 }, cheap: { input: 9, output: 1 } }

  test('is undefined without prices', async (t) => {
    const record = await asked(t, path, answer, {})
    assert.deepEqual([record.cost, record.costEstimated], [undefined, false])
  })

  test('of a model without a price is undefined by default, the highest of each part, or nothing', async (t) => {
    const costs = async (unknownPrice?: AiProxyOptions['unknownPrice']) => {
      const record = await asked(t, path, answer, { prices: half, ...(unknownPrice !== undefined && { unknownPrice }) })
      return [record.cost, record.costEstimated]
    }
    assert.deepEqual(await costs(), [undefined, false])
    assert.deepEqual(await costs('highest'), [(100 * 9 + 50 * 7) / 1e6, true])
    assert.deepEqual(await costs(0), [0, true])
  })

  test('of an error and of an answer of the app is nothing', async (t) => {
    const error = await asked(t, path, { error: { message: 'no' } }, { prices: half }, 400)
    const own = await asked(t, path, answer, { prices: half, onRequest: () => ({ body: 'ours' }) })
    const refused = await asked(t, path, answer, { prices: half, models: ['none'] })
    assert.deepEqual([error.cost, own.cost, refused.cost], [0, 0, 0])
  })

  test('by a function; what it throws or returns wrongly is reported, and is no price', async (t) => {
    const errors: unknown[] = []
    const onError: AiProxyOptions['onError'] = (error, { hook }) => void errors.push([hook, (error as Error).message])
    const costs = async (prices: Prices) => (await asked(t, path, answer, { prices, onError })).cost
    assert.equal(await costs(({ tokens, model }) => (model === 'model-1' ? tokens!.total : undefined)), 150)
    assert.equal(await costs(() => undefined), undefined)
    assert.deepEqual(errors, [])
    for (const wrong of [Number.NaN, -1, '1', null]) assert.equal(await costs(() => wrong as never), undefined)
    const thrown = await costs(() => {
      throw new Error('no table')
    })
    assert.equal(thrown, undefined)
    assert.deepEqual(errors.at(-1), ['prices', 'no table'])
    assert.equal(errors.length, 5)
  })

  test('is looked up by the name in the answer, then by that at the target, then by the client’s', async (t) => {
    const of = async (prices: Prices, responseModel: string | undefined) => {
      const provider = await startProvider(t, { onCall: (call) => call.json(200, { ...answer, model: responseModel }) })
      const { cost } = await asked(t, path, answer, {
        target: undefined,
        targets: [{ name: 'a', target: provider.url, models: { [model]: 'at-target' } }],
        prices,
      } as never)
      return cost
    }
    const one = (input: number) => ({ input: input * 1e6, output: 0 })
    assert.equal(await of({ told: one(1), 'at-target': one(2), [model]: one(3) }, 'told'), 100)
    assert.equal(await of({ 'at-target': one(2), [model]: one(3) }, 'told'), 200)
    assert.equal(await of({ [model]: one(3) }, 'told'), 300)
    assert.equal(await of({ constructor: one(1) }, '__proto__'), undefined)
  })

  test('is estimated if the tokens are', async (t) => {
    const events = ['data: {"choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":"stop"}]}\n\n']
    const provider = await startProvider(t, { onCall: (call) => call.sse(events).end('data: [DONE]\n\n') })
    const app = await startApp(t, { target: provider.url, prices: { [model]: { input: 1, output: 1e6 } } })
    await (await post(app.url + path, { model, stream: true, messages: [] })).text()
    const { cost, costEstimated } = await app.record()
    assert.deepEqual([(cost ?? 0) > 0, costEstimated], [true, true])
  })

  test('is estimated if another model answered than was asked, and only the one that was asked has a price', async (t) => {
    const of = async (prices: Prices, responseModel: string) => {
      const { cost, costEstimated } = await asked(t, path, { ...answer, model: responseModel }, { prices })
      return [cost, costEstimated]
    }
    const table: Prices = { [model]: { input: 1e6, output: 0 }, told: { input: 2e6, output: 0 } }
    assert.deepEqual(await of(table, 'fallback'), [100, true])
    assert.deepEqual(await of(table, 'told'), [200, false])
    assert.deepEqual(await of(table, `${model}-2025-01-31`), [100, false])
    const byName: Prices = ({ responseModel, model: asked }) =>
      responseModel === 'told' ? 2 : asked === model ? 1 : undefined
    assert.deepEqual(await of(byName, 'fallback'), [1, true])
    assert.deepEqual(await of(byName, 'told'), [2, false])
  })

  test('is counted in Prometheus by model, if there is any', async (t) => {
    const register = new Registry()
    const observer = prometheusObserver({ register })
    t.after(() => observer.close())
    await asked(t, path, answer, { prices: { [model]: { input: 1e6, output: 0 } }, observers: [observer] })
    await asked(t, path, answer, { observers: [observer] })
    const [sample, ...others] = await samplesOf(register, 'ai_proxy_cost_total')
    assert.match(sample ?? '', /^ai_proxy_cost_total\{format="openai-chat",model="model-1",.*estimated="false"\} 100$/)
    assert.deepEqual(others, [])
  })
})
