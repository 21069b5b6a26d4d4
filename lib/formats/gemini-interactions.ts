import { errorIn } from './failures.js'
import { allText, argumentsText, listAt, textAt, valueAt } from './fields.js'
import type { Format, JsonObject, ParsedMessage } from './format.js'
import { gemini, googleCounting } from './gemini.js'
import { readingOf } from './reading.js'
import { usageReader } from './usage.js'

/** https://ai.google.dev/api/interactions-api#Resource:Usage: counted as elsewhere at Google, under other names. */
const readUsage = usageReader(
  {
    inputTokens: ['total_input_tokens + total_tool_use_tokens'],
    outputTokens: ['total_output_tokens'],
    totalTokens: ['total_tokens'],
    cachedInputTokens: ['total_cached_tokens'],
    reasoningTokens: ['total_thought_tokens', 'total_reasoning_tokens'],
  },
  googleCounting,
)

/** A status that is not the end of an interaction. */
const UNFINISHED = new Set(['in_progress', 'queued'])

const MESSAGE = /^(?:interaction|step|content)\./

/** Events that end a stream; the first name is that of today. */
const LAST = new Set(['interaction.completed', 'interaction.complete'])

/**
 * Google's Interactions API: https://ai.google.dev/gemini-api/docs/interactions
 *
 * An answer is a list of steps, each with what it holds; streams hand out `step.delta`s, as long ago `content.delta`s, and end
 * with the interaction without its steps, and `[DONE]`.
 */
export const geminiInteractions: Format = {
  name: 'gemini-interactions',
  errorBody: gemini.errorBody,
  isErrorBody: gemini.isErrorBody,
  errorEvent: (body) => `event: error\ndata: ${JSON.stringify(body)}\n\n`,

  isTerminator(event) {
    return event.length <= LONGEST_DONE && event.includes('[DONE]') && /^data: ?\[DONE\]\s*$/m.test(event.toString())
  },

  usageMarker: '_tokens"',
  counting: googleCounting,
  answerFields: ['id', 'model', 'status', 'steps', 'outputs', 'usage', 'error'],

  progressIn: (data, event) =>
    MESSAGE.test(textAt(data, 'event_type') ?? event ?? '')
      ? { isContent: /^(?:image|audio|video)$/.test(textAt(data, 'delta', 'type') ?? '') }
      : undefined,

  readMessage(data, event) {
    const type = textAt(data, 'event_type') ?? event ?? ''
    const delta = valueAt(data, 'delta')
    return readingOf({
      ...readInteraction(valueAt(data, 'interaction')),
      text: contentText(delta),
      callsTool: isCall(valueAt(data, 'step')) || isCall(valueAt(data, 'content')) || isCall(delta),
      error: errorIn(data) ?? errorIn(data.interaction),
      isLast: LAST.has(type),
    })
  },

  readAnswer(answer) {
    const steps = [...listAt(answer, 'steps'), ...listAt(answer, 'outputs')]
    return readingOf({
      ...readInteraction(answer),
      text: allText(steps, stepText),
      error: errorIn(answer),
    })
  },

  readsBothCases: true,
  otherLimitPaths: [['generationConfig', 'maxOutputTokens']],
  maxOutputTokensPath: () => ['generation_config', 'max_output_tokens'],
}

// `event: done` and `data: [DONE]`; proxies between add a field or two.
const LONGEST_DONE = 512

function readInteraction(interaction: unknown): ParsedMessage {
  const status = textAt(interaction, 'status')
  return {
    model: textAt(interaction, 'model') ?? textAt(interaction, 'agent'),
    responseId: textAt(interaction, 'id'),
    finishReason: status && UNFINISHED.has(status) ? undefined : status,
    usage: readUsage(valueAt(interaction, 'usage')),
  }
}

/** `function_call`, `google_search_call`, …, the legacy `function_call` deltas as well. */
function isCall(step: unknown): boolean {
  return textAt(step, 'type')?.endsWith('_call') === true
}

/** What the model wrote in a step; what tools gave back is not its own. */
function stepText(step: unknown): string {
  if (textAt(step, 'type')?.endsWith('_result')) return ''
  const parts = [...listAt(step, 'content'), ...listAt(step, 'summary')]
  return parts.length > 0 ? allText(parts, contentText) : contentText(step)
}

/** A part of a step or a delta of one: text, arguments, or the summary of a thought. */
function contentText(part: unknown): string {
  const data = part as JsonObject | undefined
  return (
    textAt(data, 'text') ??
    textAt(data, 'content', 'text') ??
    argumentsText(valueAt(data, 'arguments')) ??
    textAt(data, 'thought') ??
    ''
  )
}
