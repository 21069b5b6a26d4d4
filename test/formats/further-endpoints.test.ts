import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { getFormat } from '../../lib/formats/index.js'
import { type Case, noErrors, readsAnswers, readsMessages, survivesAnything, tellsTerminators } from './checks.js'

const cohere = getFormat('cohere')
const interactions = getFormat('gemini-interactions')
const media = getFormat('openai-media')
const tgi = getFormat('tgi')
const llamaCpp = getFormat('llama-cpp')

const lines: Case[] = [
  ['a start', '{"is_finished":false,"event_type":"stream-start","generation_id":"g1"}', { responseId: 'g1' }],
  ['text', '{"is_finished":false,"event_type":"text-generation","text":"Hi"}', { text: 'Hi' }],
  [
    'a piece of a call',
    '{"event_type":"tool-calls-chunk","tool_call_delta":{"index":0,"parameters":"{\\"a\\""}}',
    { text: '{"a"', callsTool: true },
  ],
  [
    'the end, which repeats everything',
    '{"is_finished":true,"event_type":"stream-end","finish_reason":"COMPLETE","response":{"response_id":"r1","text":"Hi","meta":{"billed_units":{"input_tokens":9,"output_tokens":2},"tokens":{"input_tokens":75,"output_tokens":3}}}}',
    { responseId: 'r1', finishReason: 'COMPLETE', usage: { inputTokens: 75, outputTokens: 3 }, isLast: true },
  ],
]
describe('cohere v1: NDJSON', () => {
  readsMessages(cohere, lines)
  tellsTerminators(
    cohere,
    [`${lines[3]![1]}\n`, `event: stream-end\ndata: ${lines[3]![1]}\n\n`],
    [`${lines[1]![1]}\n`, '{"event_type":"text-generation","text":"stream-end"}\n'],
  )
})
describe('cohere: embed and rerank', () => {
  readsAnswers(cohere, [
    [
      'embeddings',
      '{"id":"e1","embeddings":[[1]],"meta":{"billed_units":{"input_tokens":4}}}',
      { responseId: 'e1', usage: { inputTokens: 4 } },
    ],
    [
      'a ranking',
      '{"id":"k1","results":[{"index":0}],"meta":{"billed_units":{"search_units":1}}}',
      { responseId: 'k1' },
    ],
    [
      "another server's",
      '{"id":"k1","results":[],"usage":{"total_tokens":7}}',
      { responseId: 'k1', usage: { totalTokens: 7 } },
    ],
  ])
})
survivesAnything(cohere, lines)

const steps: Case[] = [
  [
    'created',
    '{"interaction":{"id":"v1_1","status":"in_progress","object":"interaction","model":"gemini-x"},"event_type":"interaction.created"}',
    { responseId: 'v1_1', model: 'gemini-x', isPending: true },
    'interaction.created',
  ],
  ['a thought begins', '{"index":0,"step":{"type":"thought"},"event_type":"step.start"}', {}],
  [
    'a summary of it',
    '{"index":0,"delta":{"type":"thought_summary","content":{"type":"text","text":"Hm"}},"event_type":"step.delta"}',
    { text: 'Hm' },
  ],
  ['its signature', '{"index":0,"delta":{"signature":"xyz","type":"thought_signature"},"event_type":"step.delta"}', {}],
  ['text', '{"index":1,"delta":{"text":"Hello","type":"text"},"event_type":"step.delta"}', { text: 'Hello' }],
  ['text, of old', '{"event_type":"content.delta","index":0,"delta":{"type":"text","text":"Hi"}}', { text: 'Hi' }],
  [
    'a call begins',
    '{"index":2,"step":{"type":"function_call","id":"f1","name":"f","arguments":{}},"event_type":"step.start"}',
    { callsTool: true },
  ],
  [
    'its arguments',
    '{"index":2,"delta":{"type":"arguments_delta","arguments":"{\\"a\\":"},"event_type":"step.delta"}',
    { text: '{"a":' },
  ],
  [
    'completed',
    '{"interaction":{"id":"v1_1","status":"completed","usage":{"total_tokens":346,"total_input_tokens":11,"total_cached_tokens":4,"total_output_tokens":90,"total_tool_use_tokens":0,"total_thought_tokens":245},"model":"gemini-x"},"event_type":"interaction.completed"}',
    {
      responseId: 'v1_1',
      model: 'gemini-x',
      finishReason: 'completed',
      usage: {
        inputTokens: 11,
        outputTokens: 90,
        totalTokens: 346,
        cachedInputTokens: 4,
        reasoningTokens: 245,
      },
      isLast: true,
    },
  ],
  [
    'an error',
    '{"error":{"message":"Too slow","code":"gateway_timeout"},"event_type":"error"}',
    { error: 'Too slow' },
    'error',
  ],
]
describe('gemini-interactions', () => {
  readsMessages(interactions, steps)
  readsAnswers(interactions, [
    [
      'steps',
      '{"id":"v1_1","model":"gemini-x","status":"requires_action","steps":[{"type":"thought","summary":[{"type":"text","text":"Hm. "}]},{"type":"google_search_result","content":[{"type":"text","text":"found"}]},{"type":"model_output","content":[{"type":"text","text":"Hello"}]},{"type":"function_call","arguments":{"a":1}}],"usage":{"total_input_tokens":7,"total_tool_use_tokens":5,"total_output_tokens":2,"total_tokens":14}}',
      {
        responseId: 'v1_1',
        model: 'gemini-x',
        finishReason: 'requires_action',
        text: 'Hm. Hello{"a":1}',
        usage: { inputTokens: 12, outputTokens: 2, totalTokens: 14 },
      },
    ],
    [
      'outputs, of old',
      '{"id":"v1_1","status":"in_progress","outputs":[{"type":"text","text":"Hi"}]}',
      { responseId: 'v1_1', isPending: true, text: 'Hi' },
    ],
  ])
  tellsTerminators(interactions, ['event: done\ndata: [DONE]\n\n'], [`data: ${steps[4]![1]}\n\n`, 'data: "[DONE]"\n\n'])
  test('its errors are recognised, and are sent under their event name and in their type', () => {
    const body = interactions.errorBody({ code: 'idle_timeout', status: 504, message: 'Silent' })
    assert.ok(interactions.isErrorBody(body))
    const told = (event: string) => {
      assert.match(event, /^event: error\ndata: \{.*\}\n\n$/)
      const { event_type, error } = JSON.parse(event.slice(event.indexOf('{'))) as Record<string, object>
      const { code, message, status } = error as Record<string, unknown>
      return [event_type, code, message, status]
    }
    assert.deepEqual(told(interactions.errorEvent(body)), ['error', 'idle_timeout', 'Silent', 'DEADLINE_EXCEEDED'])
    const ofGoogle = { error: { code: 429, message: 'Quota', status: 'RESOURCE_EXHAUSTED' } }
    assert.deepEqual(told(interactions.errorEvent(ofGoogle)), [
      'error',
      'RESOURCE_EXHAUSTED',
      'Quota',
      'RESOURCE_EXHAUSTED',
    ])
    assert.deepEqual(told(interactions.errorEvent({ error: { code: 'x' } })), ['error', 'x', 'x', undefined])
    assert.deepEqual(told(interactions.errorEvent({ error: 'Gone' })), ['error', undefined, 'Gone', undefined])
    for (const other of noErrors) assert.equal(interactions.isErrorBody(other), false)
  })
})
survivesAnything(interactions, steps)

const mediaEvents: Case[] = [
  ['a picture so far', '{"type":"image_generation.partial_image","b64_json":"aGk=","partial_image_index":0}', {}],
  [
    'a picture',
    '{"type":"image_generation.completed","b64_json":"aGk=","usage":{"total_tokens":100,"input_tokens":50,"output_tokens":50,"input_tokens_details":{"text_tokens":10,"image_tokens":40}}}',
    { usage: { inputTokens: 50, outputTokens: 50, totalTokens: 100 } },
  ],
  ['a transcript', '{"type":"transcript.text.delta","delta":"Hello"}', { text: 'Hello' }],
  [
    'the end of one',
    '{"type":"transcript.text.done","text":"Hello","usage":{"type":"tokens","input_tokens":14,"output_tokens":2,"total_tokens":16}}',
    { usage: { inputTokens: 14, outputTokens: 2, totalTokens: 16 }, isLast: true },
  ],
  ['speech', '{"type":"speech.audio.delta","audio":"aGk="}', {}],
  [
    'the end of it',
    '{"type":"speech.audio.done","usage":{"input_tokens":14,"output_tokens":101,"total_tokens":115}}',
    { usage: { inputTokens: 14, outputTokens: 101, totalTokens: 115 }, isLast: true },
  ],
  ['an error', '{"type":"error","error":{"message":"No"}}', { error: 'No' }],
]
describe('openai-media', () => {
  readsMessages(media, mediaEvents)
  readsAnswers(media, [
    [
      'pictures',
      '{"created":1,"data":[{"b64_json":"aGk="}],"usage":{"input_tokens":5,"output_tokens":9}}',
      { usage: { inputTokens: 5, outputTokens: 9 } },
    ],
    ['a transcript that is billed by the second', '{"text":"Hello","usage":{"type":"duration","seconds":4}}', {}],
  ])
})
survivesAnything(media, mediaEvents)

const tokens: Case[] = [
  [
    'a token',
    '{"index":1,"token":{"id":5,"text":"Hi","logprob":-0.1,"special":false},"generated_text":null,"details":null}',
    { text: 'Hi' },
  ],
  [
    'the last one',
    '{"index":2,"token":{"id":2,"text":"</s>","special":true},"generated_text":"Hi","details":{"finish_reason":"eos_token","generated_tokens":2,"input_length":6}}',
    { finishReason: 'eos_token', usage: { inputTokens: 6, outputTokens: 2 }, isLast: true },
  ],
  ['an error', '{"error":"Model is overloaded","error_type":"overloaded"}', { error: 'Model is overloaded' }],
]
describe('tgi', () => readsMessages(tgi, tokens))
survivesAnything(tgi, tokens)

const pieces: Case[] = [
  [
    'a piece',
    '{"index":0,"content":" upon","tokens":[],"stop":false,"id_slot":-1,"tokens_predicted":2,"tokens_evaluated":9}',
    { text: ' upon' },
  ],
  [
    'the last message',
    '{"index":0,"content":"","tokens":[],"stop":true,"model":"m","tokens_predicted":12,"tokens_evaluated":9,"generation_settings":{"n_predict":12},"prompt":"Tell","truncated":false,"stop_type":"limit","stopping_word":"","tokens_cached":20,"timings":{"cache_n":4,"prompt_n":5,"predicted_n":12}}',
    {
      model: 'm',
      finishReason: 'limit',
      usage: { inputTokens: 9, outputTokens: 12, cachedInputTokens: 4 },
      isLast: true,
    },
  ],
  [
    'the last message of an older server',
    '{"content":"","stop":true,"model":"/m.gguf","stopped_eos":true,"stopped_limit":false,"stopped_word":false,"tokens_cached":20,"tokens_evaluated":9,"tokens_predicted":12}',
    { model: '/m.gguf', finishReason: 'eos', usage: { inputTokens: 9, outputTokens: 12 }, isLast: true },
  ],
  ['an error', '{"error":{"code":400,"message":"too long","type":"exceed_context_size_error"}}', { error: 'too long' }],
]
describe('llama-cpp', () => {
  readsMessages(llamaCpp, pieces)
  readsAnswers(llamaCpp, [
    [
      'a whole answer, of which only some fields were asked for',
      '{"content":"Once upon","stop":true,"tokens_predicted":2,"tokens_evaluated":9}',
      { text: 'Once upon', usage: { inputTokens: 9, outputTokens: 2 }, isLast: true },
    ],
  ])
  tellsTerminators(
    llamaCpp,
    [`data: ${pieces[1]![1]}\n\n`],
    [`data: ${pieces[0]![1]}\n\n`, 'data: {"content":"\\"stop\\":true","stop":false}\n\n'],
  )
})
survivesAnything(llamaCpp, pieces)
