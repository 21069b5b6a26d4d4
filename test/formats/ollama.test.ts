import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ollamaChat, ollamaGenerate } from '../../lib/formats/ollama.js'
import {
  type Case,
  decodesNothing,
  failure,
  noErrors,
  readsAnswers,
  readsMessages,
  survivesAnything,
  tellsTerminators,
} from './checks.js'

const head = '"model":"llama3.2","created_at":"2026-08-04T08:52:19.385406455-07:00"'
const model = 'llama3.2'
const timings = '"total_duration":4883583458,"load_duration":1334875'

const chat: Case[] = [
  [
    'a piece',
    `{${head},"message":{"role":"assistant","content":"The","images":null},"done":false}`,
    { model, text: 'The' },
  ],
  [
    'thinking',
    `{${head},"message":{"role":"assistant","content":"","thinking":"Hm"},"done":false}`,
    { model, text: 'Hm' },
  ],
  [
    'a tool call',
    `{${head},"message":{"role":"assistant","content":"","tool_calls":[{"function":{"name":"f","arguments":{"a":1}}}]},"done":false}`,
    { model, text: '{"a":1}' },
  ],
  [
    'the end',
    `{${head},"message":{"role":"assistant","content":""},"done":true,"done_reason":"stop",${timings},"prompt_eval_count":26,"prompt_eval_duration":342546000,"eval_count":282,"eval_duration":4535599000}`,
    { model, finishReason: 'stop', usage: { inputTokens: 26, outputTokens: 282 }, isLast: true },
  ],
  [
    'the end, the prompt read from memory',
    `{${head},"message":{"content":""},"done":true,${timings},"eval_count":282}`,
    { model, usage: { outputTokens: 282 }, isLast: true },
  ],
  [
    'the end, nothing generated',
    `{${head},"message":{"content":""},"done":true,"done_reason":"load","prompt_eval_count":26}`,
    { model, finishReason: 'load', usage: { inputTokens: 26 }, isLast: true },
  ],
  [
    'an error',
    '{"error":"an error was encountered while running the model"}',
    {
      error: 'an error was encountered while running the model',
    },
  ],
]

const generate: Case[] = [
  ['a piece', `{${head},"response":"The","done":false}`, { model, text: 'The' }],
  ['thinking', `{${head},"response":"","thinking":"Hm","done":false}`, { model, text: 'Hm' }],
  [
    'the end',
    `{${head},"response":"","done":true,"done_reason":"length","context":[1,2,3],${timings},"prompt_eval_count": 26, "eval_count": 290}`,
    { model, finishReason: 'length', usage: { inputTokens: 26, outputTokens: 290 }, isLast: true },
  ],
  ['a `done` that is no boolean', `{${head},"response":"x","done":"false"}`, { model, text: 'x' }],
  ['an error', '{"error":"model not found"}', { error: 'model not found' }],
]

describe('ollama-chat: lines', () => readsMessages(ollamaChat, chat))
describe('ollama-generate: lines', () => readsMessages(ollamaGenerate, generate))
describe('ollama-chat: answers are such lines', () => readsAnswers(ollamaChat, chat))
describe('ollama-generate: answers are such lines', () => readsAnswers(ollamaGenerate, generate))

for (const [format, lines] of [
  [ollamaChat, chat],
  [ollamaGenerate, generate],
] as const) {
  describe(`${format.name}: what both formats share`, () => {
    survivesAnything(format, lines)

    test('the body has the error as a sentence, and our code next to it', () => {
      assert.deepEqual(format.errorBody(failure), { error: failure.message, code: 'idle_timeout' })
    })

    test("Ollama's own errors are recognised, nothing else is", () => {
      assert.equal(format.isErrorBody(format.errorBody(failure)), true)
      for (const body of noErrors) assert.equal(format.isErrorBody(body), false, JSON.stringify(body))
    })

    test('the event is one data event with the body', () => {
      assert.equal(format.errorEvent({ error: 'a\nb' }), 'data: {"error":"a\\nb"}\n\n')
    })

    test('the token limit is in options', () => {
      assert.deepEqual(format.maxOutputTokensPath({}), ['options', 'num_predict'])
    })

    tellsTerminators(
      format,
      [
        `{${head},"message":{"content":""},"done":true,"eval_count":1}\n`,
        `{${head},"done": true}\n`,
        `{${head},"done" :\ttrue}\r\n`,
        '{"done":true}',
        // A tool whose argument has the same name.
        '{"message":{"tool_calls":[{"function":{"arguments":{"done":false}}}]},"done":true}\n',
      ],
      [
        `{${head},"message":{"content":"Hi"},"done":false}\n`,
        '{"message":{"content":"{\\"done\\":true}"},"done":false}\n',
        '{"message":{"tool_calls":[{"function":{"arguments":{"done":true}}}]},"done":false}\n',
        '{"done":"true"}\n',
        '{"done":1}\n',
        '{"done":true\n',
        '{"done"',
        '\n',
        '"done":true',
      ],
    )
    decodesNothing(format, `{${head},"message":{"content":"${'x'.repeat(5000)} true"},"done":false}\n`)
  })
}
