import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type FormatName, formatNames } from '../../lib/formats/index.js'
import { framingFor, jsonArray } from '../../lib/framing/index.js'
import { type StreamEvent, textOf, withText } from '../../lib/index.js'
import { allStreams, written } from '../e2e/support/streams.js'

interface Case {
  readonly data: Record<string, unknown>
  /** The answer's text, and what the model thought. */
  readonly text?: string
  readonly reasoning?: string
  /** The same with `X` in the place of the answer's text; without it, nothing changes. */
  readonly replaced?: unknown
  /** The same with every text in capitals; without it, nothing changes. */
  readonly capitals?: unknown
}

const base64 = (json: unknown) => Buffer.from(JSON.stringify(json)).toString('base64')
const chat = (delta: unknown) => ({ id: 'c1', choices: [{ index: 0, delta, finish_reason: null }] })
const answer = (message: unknown) => ({ id: 'c1', choices: [{ index: 0, message, finish_reason: 'stop' }], usage: {} })
const logprobs = (token: string, other: string) => ({
  content: [{ token, bytes: [97], top_logprobs: [{ token: other }] }],
})
const grounded = (text: string) => ({
  candidates: [
    { groundingMetadata: { groundingSupports: [{ segment: { endIndex: 1, text } }], webSearchQueries: ['q'] } },
  ],
})
const cited = (text: string) => ({
  output: {
    message: {
      content: [{ citationsContent: { content: [{ text }], citations: [{ sourceContent: [{ text: 's' }] }] } }],
    },
  },
})
const conversation = (message: string) => [
  { role: 'USER', message: 'u' },
  { role: 'CHATBOT', message },
]
const generated = (answer: string, again: string) => ({
  generated_text: answer,
  details: {
    tokens: [{ text: again, special: false }],
    top_tokens: [[{ text: again }]],
    best_of_sequences: [{ generated_text: again, tokens: [{ text: again }] }],
    prefill: [{ text: 'p' }],
  },
})
const candidate = (...parts: unknown[]) => ({ candidates: [{ content: { parts, role: 'model' } }] })

const cases: Readonly<Record<FormatName, Readonly<Record<string, Case>>>> = {
  'openai-chat': {
    'log probabilities': {
      data: { choices: [{ delta: { content: 'a' }, logprobs: logprobs('a', 'b') }] },
      text: 'a',
      replaced: { choices: [{ delta: { content: 'X' }, logprobs: logprobs('a', 'b') }] },
      capitals: { choices: [{ delta: { content: 'A' }, logprobs: logprobs('A', 'B') }] },
    },
    'log probabilities of a refusal': {
      data: { choices: [{ delta: {}, logprobs: { refusal: [{ token: 'n' }] } }] },
      capitals: { choices: [{ delta: {}, logprobs: { refusal: [{ token: 'N' }] } }] },
    },
    "deltas of Azure's legacy answers from own data": {
      data: { choices: [{ messages: [{ delta: { role: 'tool', content: '{}' } }, { delta: { content: 'a' } }] }] },
      text: 'a',
      replaced: { choices: [{ messages: [{ delta: { role: 'tool', content: '{}' } }, { delta: { content: 'X' } }] }] },
      capitals: { choices: [{ messages: [{ delta: { role: 'tool', content: '{}' } }, { delta: { content: 'A' } }] }] },
    },
    "Azure's legacy answer from own data": {
      data: {
        choices: [
          {
            messages: [
              { role: 'tool', content: 't' },
              { role: 'assistant', content: 'a' },
            ],
          },
        ],
      },
      text: 'a',
      replaced: {
        choices: [
          {
            messages: [
              { role: 'tool', content: 't' },
              { role: 'assistant', content: 'X' },
            ],
          },
        ],
      },
      capitals: {
        choices: [
          {
            messages: [
              { role: 'tool', content: 't' },
              { role: 'assistant', content: 'A' },
            ],
          },
        ],
      },
    },
    'a delta': {
      data: chat({ content: 'a b' }),
      text: 'a b',
      replaced: chat({ content: 'X' }),
      capitals: chat({ content: 'A B' }),
    },
    'reasoning that is sent twice': {
      data: chat({ reasoning_content: 'hm', reasoning: 'hm' }),
      reasoning: 'hm',
      capitals: chat({ reasoning_content: 'HM', reasoning: 'HM' }),
    },
    'reasoning under another name': {
      data: chat({ reasoning_text: 'hm' }),
      reasoning: 'hm',
      capitals: chat({ reasoning_text: 'HM' }),
    },
    'reasoning with its details': {
      data: chat({ reasoning: 'hm', reasoning_details: [{ type: 'reasoning.text', text: 'hm' }] }),
      reasoning: 'hm',
      capitals: chat({ reasoning: 'HM', reasoning_details: [{ type: 'reasoning.text', text: 'HM' }] }),
    },
    'a refusal': {
      data: chat({ refusal: 'no' }),
      text: 'no',
      replaced: chat({ refusal: 'X' }),
      capitals: chat({ refusal: 'NO' }),
    },
    'parts, some of them reasoning': {
      data: chat({
        content: [
          { type: 'thinking', thinking: [{ type: 'text', text: 'hm' }] },
          { type: 'text', text: 'a' },
        ],
      }),
      text: 'a',
      reasoning: 'hm',
      replaced: chat({
        content: [
          { type: 'thinking', thinking: [{ type: 'text', text: 'hm' }] },
          { type: 'text', text: 'X' },
        ],
      }),
      capitals: chat({
        content: [
          { type: 'thinking', thinking: [{ type: 'text', text: 'HM' }] },
          { type: 'text', text: 'A' },
        ],
      }),
    },
    'the message so far next to a delta': {
      data: { choices: [{ delta: { content: 'b' }, message: { content: 'a b' } }] },
      text: 'b',
      replaced: { choices: [{ delta: { content: 'X' }, message: { content: 'a b' } }] },
      capitals: { choices: [{ delta: { content: 'B' }, message: { content: 'A B' } }] },
    },
    'several choices': {
      data: { choices: [{ message: { content: 'a' } }, { message: { content: 'b' } }] },
      text: 'ab',
      replaced: { choices: [{ message: { content: 'X' } }, { message: { content: '' } }] },
      capitals: { choices: [{ message: { content: 'A' } }, { message: { content: 'B' } }] },
    },
    'an answer': {
      data: answer({ role: 'assistant', content: 'a', audio: { transcript: 't' } }),
      text: 'at',
      replaced: answer({ role: 'assistant', content: 'X', audio: { transcript: '' } }),
      capitals: answer({ role: 'assistant', content: 'A', audio: { transcript: 'T' } }),
    },
    'a call of a tool': { data: chat({ tool_calls: [{ index: 0, function: { arguments: '{"a":' } }] }) },
    'the beginning': { data: chat({ role: 'assistant', content: '' }) },
    'usage only': { data: { choices: [], usage: { prompt_tokens: 1 } } },
    'an error': { data: { error: { message: 'no' } } },
    'choices that are none': { data: { choices: 'a' } },
  },
  'openai-completions': {
    'log probabilities': {
      data: { choices: [{ text: 'ab', logprobs: { tokens: ['a', 'b'], token_logprobs: [-1, -2] } }] },
      text: 'ab',
      replaced: { choices: [{ text: 'X', logprobs: { tokens: ['a', 'b'], token_logprobs: [-1, -2] } }] },
      capitals: { choices: [{ text: 'AB', logprobs: { tokens: ['A', 'B'], token_logprobs: [-1, -2] } }] },
    },
    'a piece': {
      data: { choices: [{ text: 'a', index: 0 }] },
      text: 'a',
      replaced: { choices: [{ text: 'X', index: 0 }] },
      capitals: { choices: [{ text: 'A', index: 0 }] },
    },
    'the end': { data: { choices: [{ text: '', finish_reason: 'stop' }] } },
  },
  'openai-responses': {
    'log probabilities of a delta': {
      data: { type: 'response.output_text.delta', delta: 'a', logprobs: logprobs('a', 'b').content },
      text: 'a',
      replaced: { type: 'response.output_text.delta', delta: 'X', logprobs: logprobs('a', 'b').content },
      capitals: { type: 'response.output_text.delta', delta: 'A', logprobs: logprobs('A', 'B').content },
    },
    'log probabilities of the text that was sent in deltas': {
      data: { type: 'response.output_text.done', text: 'a', logprobs: logprobs('a', 'b').content },
      capitals: { type: 'response.output_text.done', text: 'A', logprobs: logprobs('A', 'B').content },
    },
    'log probabilities of a part that was sent before': {
      data: { type: 'response.content_part.done', part: { text: 'a', logprobs: logprobs('a', 'b').content } },
      capitals: { type: 'response.content_part.done', part: { text: 'A', logprobs: logprobs('A', 'B').content } },
    },
    'log probabilities of an answer, and a rewritten prompt': {
      data: { output: [{ content: [{ text: 'a', logprobs: [{ token: 'a' }] }] }, { revised_prompt: 'p' }] },
      text: 'a',
      replaced: { output: [{ content: [{ text: 'X', logprobs: [{ token: 'a' }] }] }, { revised_prompt: 'p' }] },
      capitals: { output: [{ content: [{ text: 'A', logprobs: [{ token: 'A' }] }] }, { revised_prompt: 'P' }] },
    },
    'a delta': {
      data: { type: 'response.output_text.delta', delta: 'a', item_id: 'm' },
      text: 'a',
      replaced: { type: 'response.output_text.delta', delta: 'X', item_id: 'm' },
      capitals: { type: 'response.output_text.delta', delta: 'A', item_id: 'm' },
    },
    'a refusal': {
      data: { type: 'response.refusal.delta', delta: 'a' },
      text: 'a',
      replaced: { type: 'response.refusal.delta', delta: 'X' },
      capitals: { type: 'response.refusal.delta', delta: 'A' },
    },
    'a transcript': {
      data: { type: 'response.audio.transcript.delta', delta: 'a' },
      text: 'a',
      replaced: { type: 'response.audio.transcript.delta', delta: 'X' },
      capitals: { type: 'response.audio.transcript.delta', delta: 'A' },
    },
    reasoning: {
      data: { type: 'response.reasoning_summary_text.delta', delta: 'hm' },
      reasoning: 'hm',
      capitals: { type: 'response.reasoning_summary_text.delta', delta: 'HM' },
    },
    'arguments of a tool': { data: { type: 'response.function_call_arguments.delta', delta: '{"a"' } },
    sound: { data: { type: 'response.audio.delta', delta: 'aaaa' } },
    'the text that was sent in deltas': {
      data: { type: 'response.output_text.done', text: 'a' },
      capitals: { type: 'response.output_text.done', text: 'A' },
    },
    'a part that was sent before': {
      data: { type: 'response.content_part.done', part: { type: 'output_text', text: 'a' } },
      capitals: { type: 'response.content_part.done', part: { type: 'output_text', text: 'A' } },
    },
    'an item that was sent before': {
      data: { type: 'response.output_item.done', item: { type: 'message', content: [{ text: 'a' }] } },
      capitals: { type: 'response.output_item.done', item: { type: 'message', content: [{ text: 'A' }] } },
    },
    'all of the answer at the end of its stream': {
      data: { type: 'response.completed', response: { instructions: 'i', output: [{ content: [{ text: 'a' }] }] } },
      capitals: { type: 'response.completed', response: { instructions: 'i', output: [{ content: [{ text: 'A' }] }] } },
    },
    'an answer': {
      data: {
        object: 'response',
        output: [
          { type: 'reasoning', summary: [{ type: 'summary_text', text: 'hm' }] },
          {
            type: 'message',
            content: [
              { type: 'output_text', text: 'a' },
              { type: 'refusal', refusal: 'no' },
            ],
          },
          { type: 'function_call', arguments: '{}' },
        ],
      },
      text: 'ano',
      reasoning: 'hm',
      replaced: {
        object: 'response',
        output: [
          { type: 'reasoning', summary: [{ type: 'summary_text', text: 'hm' }] },
          {
            type: 'message',
            content: [
              { type: 'output_text', text: 'X' },
              { type: 'refusal', refusal: '' },
            ],
          },
          { type: 'function_call', arguments: '{}' },
        ],
      },
      capitals: {
        object: 'response',
        output: [
          { type: 'reasoning', summary: [{ type: 'summary_text', text: 'HM' }] },
          {
            type: 'message',
            content: [
              { type: 'output_text', text: 'A' },
              { type: 'refusal', refusal: 'NO' },
            ],
          },
          { type: 'function_call', arguments: '{}' },
        ],
      },
    },
  },
  'openai-embeddings': { 'an answer': { data: { data: [{ embedding: [1] }], usage: { prompt_tokens: 1 } } } },
  'openai-media': {
    'log probabilities': {
      data: { text: 'a', logprobs: logprobs('a', 'b').content },
      text: 'a',
      replaced: { text: 'X', logprobs: logprobs('a', 'b').content },
      capitals: { text: 'A', logprobs: logprobs('A', 'B').content },
    },
    'rewritten prompts': {
      data: { data: [{ b64_json: 'aaaa', revised_prompt: 'p' }], revised_prompt: 'p' },
      capitals: { data: [{ b64_json: 'aaaa', revised_prompt: 'P' }], revised_prompt: 'P' },
    },
    'a piece of a transcript': {
      data: { type: 'transcript.text.delta', delta: 'a' },
      text: 'a',
      replaced: { type: 'transcript.text.delta', delta: 'X' },
      capitals: { type: 'transcript.text.delta', delta: 'A' },
    },
    'a transcript that was sent before': {
      data: { type: 'transcript.text.done', text: 'a' },
      capitals: { type: 'transcript.text.done', text: 'A' },
    },
    'a transcript with its segments': {
      data: { text: 'a', segments: [{ text: 'a' }], words: [{ word: 'a' }] },
      text: 'a',
      replaced: { text: 'X', segments: [{ text: 'a' }], words: [{ word: 'a' }] },
      capitals: { text: 'A', segments: [{ text: 'A' }], words: [{ word: 'A' }] },
    },
    'a picture': { data: { type: 'image_generation.partial_image', b64_json: 'aaaa' } },
  },
  anthropic: {
    'a text completion': {
      data: { type: 'completion', completion: 'a', stop_reason: null },
      text: 'a',
      replaced: { type: 'completion', completion: 'X', stop_reason: null },
      capitals: { type: 'completion', completion: 'A', stop_reason: null },
    },
    'a delta': {
      data: { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'a' } },
      text: 'a',
      replaced: { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'X' } },
      capitals: { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'A' } },
    },
    thinking: {
      data: { type: 'content_block_delta', delta: { type: 'thinking_delta', thinking: 'hm' } },
      reasoning: 'hm',
      capitals: { type: 'content_block_delta', delta: { type: 'thinking_delta', thinking: 'HM' } },
    },
    'the beginning of a block': {
      data: { type: 'content_block_start', content_block: { type: 'text', text: 'a' } },
      text: 'a',
      replaced: { type: 'content_block_start', content_block: { type: 'text', text: 'X' } },
      capitals: { type: 'content_block_start', content_block: { type: 'text', text: 'A' } },
    },
    'arguments of a tool': {
      data: { type: 'content_block_delta', delta: { type: 'input_json_delta', partial_json: '{"a"' } },
    },
    'a result of a tool': { data: { content: [{ type: 'tool_result', content: 'a' }] } },
    'an answer': {
      data: {
        type: 'message',
        content: [
          { type: 'thinking', thinking: 'hm' },
          { type: 'text', text: 'a' },
        ],
      },
      text: 'a',
      reasoning: 'hm',
      replaced: {
        type: 'message',
        content: [
          { type: 'thinking', thinking: 'hm' },
          { type: 'text', text: 'X' },
        ],
      },
      capitals: {
        type: 'message',
        content: [
          { type: 'thinking', thinking: 'HM' },
          { type: 'text', text: 'A' },
        ],
      },
    },
    'a summary of the context': {
      data: { type: 'content_block_delta', delta: { type: 'compaction_delta', content: 'hm' } },
      reasoning: 'hm',
      capitals: { type: 'content_block_delta', delta: { type: 'compaction_delta', content: 'HM' } },
    },
    ping: { data: { type: 'ping' } },
  },
  gemini: {
    'the text that grounding quotes': {
      data: grounded('a'),
      capitals: grounded('A'),
    },
    'log probabilities': {
      data: {
        candidates: [
          { logprobsResult: { chosenCandidates: [{ token: 'a' }], topCandidates: [{ candidates: [{ token: 'b' }] }] } },
        ],
      },
      capitals: {
        candidates: [
          { logprobsResult: { chosenCandidates: [{ token: 'A' }], topCandidates: [{ candidates: [{ token: 'B' }] }] } },
        ],
      },
    },
    'parts, some of them thoughts': {
      data: candidate({ text: 'hm', thought: true }, { text: 'a' }, { functionCall: { args: { a: 'b' } } }),
      text: 'a',
      reasoning: 'hm',
      replaced: candidate({ text: 'hm', thought: true }, { text: 'X' }, { functionCall: { args: { a: 'b' } } }),
      capitals: candidate({ text: 'HM', thought: true }, { text: 'A' }, { functionCall: { args: { a: 'b' } } }),
    },
    'a picture': { data: candidate({ inlineData: { data: 'aaaa' } }) },
    'usage only': { data: { usageMetadata: { promptTokenCount: 1 } } },
  },
  'gemini-interactions': {
    'a delta': {
      data: { event_type: 'step.delta', delta: { type: 'text', text: 'a' } },
      text: 'a',
      replaced: { event_type: 'step.delta', delta: { type: 'text', text: 'X' } },
      capitals: { event_type: 'step.delta', delta: { type: 'text', text: 'A' } },
    },
    'a thought': {
      data: { event_type: 'step.delta', delta: { type: 'thought_summary', content: { type: 'text', text: 'hm' } } },
      reasoning: 'hm',
      capitals: { event_type: 'step.delta', delta: { type: 'thought_summary', content: { type: 'text', text: 'HM' } } },
    },
    'an answer': {
      data: {
        steps: [
          { type: 'thought', summary: [{ type: 'text', text: 'hm' }] },
          { type: 'google_search_result', content: [{ text: 'found' }] },
          { type: 'model_output', content: [{ type: 'text', text: 'a' }] },
        ],
      },
      text: 'a',
      reasoning: 'hm',
      replaced: {
        steps: [
          { type: 'thought', summary: [{ type: 'text', text: 'hm' }] },
          { type: 'google_search_result', content: [{ text: 'found' }] },
          { type: 'model_output', content: [{ type: 'text', text: 'X' }] },
        ],
      },
      capitals: {
        steps: [
          { type: 'thought', summary: [{ type: 'text', text: 'HM' }] },
          { type: 'google_search_result', content: [{ text: 'found' }] },
          { type: 'model_output', content: [{ type: 'text', text: 'A' }] },
        ],
      },
    },
    'an older answer': {
      data: { outputs: [{ type: 'text', text: 'a' }] },
      text: 'a',
      replaced: { outputs: [{ type: 'text', text: 'X' }] },
      capitals: { outputs: [{ type: 'text', text: 'A' }] },
    },
    'the end': { data: { event_type: 'interaction.completed', interaction: { status: 'completed' } } },
  },
  'bedrock-converse': {
    'an answer with citations': {
      data: cited('a'),
      text: 'a',
      replaced: cited('X'),
      capitals: cited('A'),
    },
    'a delta': {
      data: { contentBlockIndex: 0, delta: { text: 'a' } },
      text: 'a',
      replaced: { contentBlockIndex: 0, delta: { text: 'X' } },
      capitals: { contentBlockIndex: 0, delta: { text: 'A' } },
    },
    'a delta that is wrapped': {
      data: { contentBlockDelta: { delta: { reasoningContent: { text: 'hm' } } } },
      reasoning: 'hm',
      capitals: { contentBlockDelta: { delta: { reasoningContent: { text: 'HM' } } } },
    },
    'an answer': {
      data: {
        output: { message: { content: [{ reasoningContent: { reasoningText: { text: 'hm' } } }, { text: 'a' }] } },
      },
      text: 'a',
      reasoning: 'hm',
      replaced: {
        output: { message: { content: [{ reasoningContent: { reasoningText: { text: 'hm' } } }, { text: 'X' }] } },
      },
      capitals: {
        output: { message: { content: [{ reasoningContent: { reasoningText: { text: 'HM' } } }, { text: 'A' }] } },
      },
    },
    'arguments of a tool': { data: { delta: { toolUse: { input: '{"a"' } } } },
  },
  'bedrock-invoke': {
    "Jurassic's answer": {
      data: { completions: [{ data: { text: 'a', tokens: [{ generatedToken: { token: 'a' } }] } }] },
      text: 'a',
      replaced: { completions: [{ data: { text: 'X', tokens: [{ generatedToken: { token: 'a' } }] } }] },
      capitals: { completions: [{ data: { text: 'A', tokens: [{ generatedToken: { token: 'A' } }] } }] },
    },
    "the end of Cohere's stream in base64": {
      data: { bytes: base64({ event_type: 'stream-end', response: { text: 'a' } }) },
      capitals: { bytes: base64({ event_type: 'stream-end', response: { text: 'A' } }) },
    },
    'log probabilities of a model of OpenAI': {
      data: { choices: [{ message: { content: 'a' }, logprobs: logprobs('a', 'b') }] },
      text: 'a',
      replaced: { choices: [{ message: { content: 'X' }, logprobs: logprobs('a', 'b') }] },
      capitals: { choices: [{ message: { content: 'A' }, logprobs: logprobs('A', 'B') }] },
    },
    "Claude's delta in base64": {
      data: { bytes: base64({ type: 'content_block_delta', delta: { type: 'text_delta', text: 'a' } }), p: 'abc' },
      text: 'a',
      replaced: { bytes: base64({ type: 'content_block_delta', delta: { type: 'text_delta', text: 'X' } }), p: 'abc' },
      capitals: { bytes: base64({ type: 'content_block_delta', delta: { type: 'text_delta', text: 'A' } }), p: 'abc' },
    },
    "Nova's delta in base64": {
      data: { bytes: base64({ contentBlockDelta: { delta: { text: 'a' } } }) },
      text: 'a',
      replaced: { bytes: base64({ contentBlockDelta: { delta: { text: 'X' } } }) },
      capitals: { bytes: base64({ contentBlockDelta: { delta: { text: 'A' } } }) },
    },
    "Llama's answer": {
      data: { generation: 'a', stop_reason: 'stop' },
      text: 'a',
      replaced: { generation: 'X', stop_reason: 'stop' },
      capitals: { generation: 'A', stop_reason: 'stop' },
    },
    "Titan's answer": {
      data: { results: [{ outputText: 'a', tokenCount: 1 }] },
      text: 'a',
      replaced: { results: [{ outputText: 'X', tokenCount: 1 }] },
      capitals: { results: [{ outputText: 'A', tokenCount: 1 }] },
    },
    "DeepSeek's answer": {
      data: { choices: [{ text: 'a', stop_reason: 'stop' }] },
      text: 'a',
      replaced: { choices: [{ text: 'X', stop_reason: 'stop' }] },
      capitals: { choices: [{ text: 'A', stop_reason: 'stop' }] },
    },
    'invalid base64': { data: { bytes: '####' } },
  },
  'ollama-chat': {
    'log probabilities': {
      data: { message: { content: 'a' }, logprobs: logprobs('a', 'b').content },
      text: 'a',
      replaced: { message: { content: 'X' }, logprobs: logprobs('a', 'b').content },
      capitals: { message: { content: 'A' }, logprobs: logprobs('A', 'B').content },
    },
    'a line': {
      data: { message: { role: 'assistant', content: 'a', thinking: 'hm' }, done: false },
      text: 'a',
      reasoning: 'hm',
      replaced: { message: { role: 'assistant', content: 'X', thinking: 'hm' }, done: false },
      capitals: { message: { role: 'assistant', content: 'A', thinking: 'HM' }, done: false },
    },
    'the last line': { data: { message: { content: '' }, done: true, eval_count: 1 } },
  },
  'ollama-generate': {
    'log probabilities': {
      data: { response: 'a', logprobs: logprobs('a', 'b').content },
      text: 'a',
      replaced: { response: 'X', logprobs: logprobs('a', 'b').content },
      capitals: { response: 'A', logprobs: logprobs('A', 'B').content },
    },
    'a line': {
      data: { response: 'a', done: false },
      text: 'a',
      replaced: { response: 'X', done: false },
      capitals: { response: 'A', done: false },
    },
    'the last line': { data: { response: '', done: true } },
  },
  cohere: {
    'a citation': {
      data: { type: 'citation-start', delta: { message: { citations: { text: 'a', sources: [{ text: 's' }] } } } },
      capitals: { type: 'citation-start', delta: { message: { citations: { text: 'A', sources: [{ text: 's' }] } } } },
    },
    'an answer with citations and log probabilities': {
      data: { message: { content: [{ text: 'a' }], citations: [{ text: 'a' }] }, logprobs: [{ text: 'a' }] },
      text: 'a',
      replaced: { message: { content: [{ text: 'X' }], citations: [{ text: 'a' }] }, logprobs: [{ text: 'a' }] },
      capitals: { message: { content: [{ text: 'A' }], citations: [{ text: 'A' }] }, logprobs: [{ text: 'A' }] },
    },
    'an answer of version 1 with its conversation': {
      data: { text: 'a', citations: [{ text: 'a' }], chat_history: conversation('a') },
      text: 'a',
      replaced: { text: 'X', citations: [{ text: 'a' }], chat_history: conversation('a') },
      capitals: { text: 'A', citations: [{ text: 'A' }], chat_history: conversation('A') },
    },
    'the last line of version 1 with its conversation': {
      data: { event_type: 'stream-end', response: { text: 'a', chat_history: conversation('a') } },
      capitals: { event_type: 'stream-end', response: { text: 'A', chat_history: conversation('A') } },
    },
    'generations of version 1': {
      data: { generations: [{ text: 'a', token_likelihoods: [{ token: 'a' }] }] },
      text: 'a',
      replaced: { generations: [{ text: 'X', token_likelihoods: [{ token: 'a' }] }] },
      capitals: { generations: [{ text: 'A', token_likelihoods: [{ token: 'A' }] }] },
    },
    'the last line of generations': {
      data: { event_type: 'stream-end', response: { generations: [{ text: 'a' }] } },
      capitals: { event_type: 'stream-end', response: { generations: [{ text: 'A' }] } },
    },
    'a delta': {
      data: { type: 'content-delta', delta: { message: { content: { text: 'a' } } } },
      text: 'a',
      replaced: { type: 'content-delta', delta: { message: { content: { text: 'X' } } } },
      capitals: { type: 'content-delta', delta: { message: { content: { text: 'A' } } } },
    },
    'a plan, and thinking': {
      data: { type: 'content-delta', delta: { message: { tool_plan: 'p', content: { thinking: 'hm' } } } },
      reasoning: 'phm',
      capitals: { type: 'content-delta', delta: { message: { tool_plan: 'P', content: { thinking: 'HM' } } } },
    },
    'an answer': {
      data: {
        id: '1',
        message: {
          content: [
            { type: 'thinking', thinking: 'hm' },
            { type: 'text', text: 'a' },
          ],
        },
      },
      text: 'a',
      reasoning: 'hm',
      replaced: {
        id: '1',
        message: {
          content: [
            { type: 'thinking', thinking: 'hm' },
            { type: 'text', text: 'X' },
          ],
        },
      },
      capitals: {
        id: '1',
        message: {
          content: [
            { type: 'thinking', thinking: 'HM' },
            { type: 'text', text: 'A' },
          ],
        },
      },
    },
    'a line of version 1': {
      data: { event_type: 'text-generation', text: 'a' },
      text: 'a',
      replaced: { event_type: 'text-generation', text: 'X' },
      capitals: { event_type: 'text-generation', text: 'A' },
    },
    'the last line of version 1': {
      data: { event_type: 'stream-end', response: { text: 'a' } },
      capitals: { event_type: 'stream-end', response: { text: 'A' } },
    },
    'an error': { data: { message: 'no' } },
  },
  tgi: {
    'a token and its alternatives': {
      data: { token: { text: 'a' }, top_tokens: [{ text: 'b' }, { text: '</s>', special: true }] },
      text: 'a',
      replaced: { token: { text: 'X' }, top_tokens: [{ text: 'b' }, { text: '</s>', special: true }] },
      capitals: { token: { text: 'A' }, top_tokens: [{ text: 'B' }, { text: '</s>', special: true }] },
    },
    'an answer with its tokens': {
      data: generated('a', 'a'),
      text: 'a',
      replaced: generated('X', 'a'),
      capitals: generated('A', 'A'),
    },
    'a token': {
      data: { token: { text: 'a', special: false }, generated_text: null },
      text: 'a',
      replaced: { token: { text: 'X', special: false }, generated_text: null },
      capitals: { token: { text: 'A', special: false }, generated_text: null },
    },
    'the last token': {
      data: { token: { text: '</s>', special: true }, generated_text: 'a b' },
      capitals: { token: { text: '</s>', special: true }, generated_text: 'A B' },
    },
    'an answer': {
      data: { generated_text: 'a' },
      text: 'a',
      replaced: { generated_text: 'X' },
      capitals: { generated_text: 'A' },
    },
  },
  'llama-cpp': {
    'a piece with its alternatives': {
      data: { content: 'a', stop: false, completion_probabilities: [{ token: 'a', top_logprobs: [{ token: 'b' }] }] },
      text: 'a',
      replaced: {
        content: 'X',
        stop: false,
        completion_probabilities: [{ token: 'a', top_logprobs: [{ token: 'b' }] }],
      },
      capitals: {
        content: 'A',
        stop: false,
        completion_probabilities: [{ token: 'A', top_logprobs: [{ token: 'B' }] }],
      },
    },
    'a piece of an older server': {
      data: { content: 'a', completion_probabilities: [{ content: 'a', probs: [{ tok_str: 'b', prob: 0.1 }] }] },
      text: 'a',
      replaced: { content: 'X', completion_probabilities: [{ content: 'a', probs: [{ tok_str: 'b', prob: 0.1 }] }] },
      capitals: { content: 'A', completion_probabilities: [{ content: 'A', probs: [{ tok_str: 'B', prob: 0.1 }] }] },
    },
    'the last message': {
      data: { content: '', stop: true, prompt: 'a', stopping_word: '' },
      capitals: { content: '', stop: true, prompt: 'a', stopping_word: '' },
    },
  },
}

/** The same, frozen at every depth: what changes it, throws. */
function frozen<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value
  for (const inner of Object.values(value)) frozen(inner)
  return Object.freeze(value)
}

for (const name of formatNames) {
  describe(`the text of ${name}`, () => {
    for (const [what, { data, text, reasoning, replaced = data, capitals = data }] of Object.entries(cases[name])) {
      test(what, () => {
        const message = frozen({ format: name, event: undefined, data: structuredClone(data) })
        assert.equal(textOf(message), text)
        assert.equal(textOf(message, 'reasoning'), reasoning)
        assert.deepEqual(withText(message, 'X'), { ...message, data: replaced })
        assert.deepEqual(
          withText(message, (each) => each.toUpperCase()),
          { ...message, data: capitals },
        )
        // Unless there are several texts, what is read can be written back.
        assert.deepEqual(
          withText(message, (each) => each),
          message,
        )
      })
    }

    test('data that is not an object has no text', () => {
      for (const data of [undefined, null, 'a', 1, [], [{}]]) {
        const message = { format: name, data }
        assert.equal(textOf(message), undefined)
        assert.equal(withText(message, 'X'), message)
      }
    })
  })
}

describe('a stream', () => {
  for (const stream of allStreams) {
    test(`${stream.name}: the texts of its events are the model's output`, () => {
      const framing = framingFor(stream.contentType) ?? jsonArray
      const messages = stream.frames.flatMap((frame) => framing.read(Buffer.from(frame)) ?? [])
      const events = messages.flatMap(({ event, data }) => {
        try {
          return [{ format: stream.format, event, data: JSON.parse(data) as unknown }]
        } catch {
          return []
        }
      })
      assert.equal(events.map((event) => textOf(event) ?? '').join(''), written)
      const hidden = events.map((event) => withText(event, (text) => text.replace(/\S/g, '*')))
      assert.ok(!/light|house/.test(JSON.stringify(hidden)))
      assert.equal(hidden.map((event) => textOf(event) ?? '').join(''), written.replace(/\S/g, '*'))
    })
  }
})

test('the answers to several requests at once have the text of each', () => {
  const message = frozen({ format: 'tgi' as const, data: [{ generated_text: 'a' }, null, { generated_text: 'b' }] })
  assert.equal(textOf(message), 'ab')
  assert.deepEqual(withText(message, 'X').data, [{ generated_text: 'X' }, null, { generated_text: '' }])
  assert.deepEqual(withText(message, (text) => text.toUpperCase()).data, [
    { generated_text: 'A' },
    null,
    { generated_text: 'B' },
  ])
})

test('withText keeps the type of an event', () => {
  const event: StreamEvent = { format: 'anthropic', event: 'content_block_delta', data: { delta: { text: 'a' } } }
  const changed: StreamEvent = withText(event, 'b')
  assert.deepEqual(changed, { format: 'anthropic', event: 'content_block_delta', data: { delta: { text: 'b' } } })
})

/** Elements of lists that are copied while `run` runs. */
function copiedElements(run: () => void): number {
  let copied = 0
  const { prototype } = Array
  const { slice, with: withElement } = prototype
  const iterator = prototype[Symbol.iterator]
  const counting = <F extends (...args: never[]) => unknown>(native: F) =>
    function (this: unknown[], ...args: Parameters<F>) {
      copied += this.length
      return native.apply(this, args)
    }
  Object.assign(prototype, {
    slice: counting(slice),
    with: counting(withElement),
    [Symbol.iterator]: counting(iterator),
  })
  try {
    run()
  } finally {
    Object.assign(prototype, { slice, with: withElement, [Symbol.iterator]: iterator })
  }
  return copied
}

test('withText copies a list once, however many texts it has', () => {
  const words = Array.from({ length: 2000 }, (_, at) => ({ word: `w${at}`, start: at }))
  const message = frozen({ format: 'openai-media' as const, data: { text: 'w', words } })
  let changed: typeof message | undefined
  const copied = copiedElements(() => {
    changed = withText(message, (text) => text.toUpperCase())
  })
  assert.deepEqual(
    changed?.data.words,
    Array.from({ length: 2000 }, (_, at) => ({ word: `W${at}`, start: at })),
  )
  assert.ok(copied < 30 * words.length, `${copied} elements copied`)
})

test('withText changes an object that stands in two places only where it has a text', () => {
  const message = { role: 'assistant', content: 'a' }
  const { data } = withText({ format: 'openai-chat', data: { choices: [{ message }], request: message } }, 'X')
  assert.deepEqual(data, { choices: [{ message: { role: 'assistant', content: 'X' } }], request: message })
})

test('withText throws if its function does not return a string', () => {
  const message = { format: 'openai-chat', data: chat({ content: 'a' }) } as const
  assert.throws(() => withText(message, (() => undefined) as never), /TypeError: withText.*undefined/)
})

describe('textOf and withText name an invalid argument, what they got and what they take', () => {
  const message = { format: 'openai-chat', data: {} } as const
  for (const [what, call, text] of [
    [
      'an unknown format',
      () => textOf({ format: 'x-unheard-of', data: {} }),
      /^textOf: format takes .*; got 'x-unheard-of'$/,
    ],
    ['no message', () => textOf(undefined as never), /^textOf: message takes .*; got undefined$/],
    ['an unknown kind', () => textOf(message, 'thoughts' as never), /^textOf: kind takes .*; got 'thoughts'$/],
    ['no format', () => withText({ data: {} } as never, 'a'), /^withText: format takes .*; got undefined$/],
    ['a number', () => withText(message, 5 as never), /^withText: text takes a string or a function; got 5$/],
  ] as const) {
    test(what, () => assert.throws(call, { name: 'TypeError', message: text }))
  }
})
