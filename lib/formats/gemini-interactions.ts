import { isObject } from '../json/json.js'
import { builtIn } from './built-in.js'
import { errorIn } from './error-field.js'
import { errorText } from './error-text.js'
import { allText, argumentsText, listAt, textAt, valueAt } from './fields.js'
import type { JsonObject, TextPlace } from './format.js'
import { gemini, googleCounting } from './gemini.js'
import type { ParsedMessage } from './message.js'
import { parsedMessage } from './parsed-message.js'
import { placesAt, placesBelow } from './text-places.js'
import { usageReader } from './usage.js'

/** https://ai.google.dev/api/interactions-api#Resource:Usage: Google's usual counting, under other names. */
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

/** Statuses of an interaction that has not ended. */
const UNFINISHED = new Set(['in_progress', 'queued'])

const MESSAGE = /^(?:interaction|step|content)\./

/** Events that end a stream; the first is the current name. */
const LAST = new Set(['interaction.completed', 'interaction.complete'])

const CANCEL = /\/interactions\/[^/]+\/cancel$/

/**
 * Google's Interactions API: https://ai.google.dev/gemini-api/docs/interactions
 *
 * An answer is a list of steps with their content. A stream sends `step.delta`s (formerly `content.delta`s), and ends
 * with the interaction without its steps, followed by `[DONE]`.
 */
export const geminiInteractions = builtIn({
  name: 'gemini-interactions',
  provider: 'gcp.gemini',
  paths: [/\/v\d+(?:alpha|beta)\d*(?:\/.+)?\/interactions(?:\/[^/]+){0,2}$/],
  endpoints: ['v1beta', 'v1beta1', 'v1alpha'].flatMap((version) => [
    `POST **/${version}/interactions`,
    `POST **/${version}/interactions/*/cancel`,
    `GET **/${version}/interactions/*`,
    `DELETE **/${version}/interactions/*`,
  ]),
  // The provider keeps interactions unless `store` is `false`: https://ai.google.dev/gemini-api/docs/interactions
  continuationField: 'previous_interaction_id',
  answerPaths: [/\/interactions\/([^/]+)(?:\/cancel)?\/?$/],
  silentPaths: [CANCEL],
  modelFreeRequests: [
    { method: 'POST', path: CANCEL },
    { method: 'DELETE', path: /\/interactions\/[^/]+$/ },
  ],
  operation: () => 'generate_content',
  errorBody: gemini.errorBody,
  isErrorBody: gemini.isErrorBody,
  errorEvent(body) {
    const { error } = body as { error: unknown }
    // Clients tell events apart by this field, and `code` is a text in them, as opposed to an error body:
    // https://ai.google.dev/api/interactions-api#streaming
    const code = textAt(error, 'details', 0, 'metadata', 'code') ?? textAt(error, 'status') ?? textAt(error, 'code')
    const message = { event_type: 'error', error: { ...(isObject(error) && error), message: errorText(error), code } }
    return `event: error\ndata: ${JSON.stringify(message)}\n\n`
  },

  isTerminator(event) {
    return event.length <= MAX_DONE_BYTES && event.includes('[DONE]') && /^data: ?\[DONE\]\s*$/m.test(event.toString())
  },

  usageMarker: '_tokens"',
  counting: googleCounting,
  modelFields: [['model'], ['interaction', 'model']],
  answerFields: ['id', 'model', 'status', 'steps', 'outputs', 'usage', 'error'],

  progressIn: (data, event) =>
    MESSAGE.test(textAt(data, 'event_type') ?? event ?? '')
      ? { isContent: /^(?:image|audio|video|thought_signature)$/.test(textAt(data, 'delta', 'type') ?? '') }
      : undefined,

  readMessage(data, event) {
    const type = textAt(data, 'event_type') ?? event ?? ''
    const delta = valueAt(data, 'delta')
    return parsedMessage({
      ...readInteraction(valueAt(data, 'interaction')),
      text: contentText(delta),
      callsTool: isCall(valueAt(data, 'step')) || isCall(valueAt(data, 'content')) || isCall(delta),
      error: errorIn(data) ?? errorIn(data.interaction),
      isLast: LAST.has(type),
    })
  },

  textsIn(data) {
    return [
      ...placesBelow(['delta'], textsOfPart(data.delta)),
      ...['steps', 'outputs'].flatMap((field) =>
        listAt(data, field).flatMap((step, index) => placesBelow([field, index], textsOfStep(step))),
      ),
    ]
  },

  readAnswer(answer) {
    const steps = [...listAt(answer, 'steps'), ...listAt(answer, 'outputs')]
    return parsedMessage({
      ...readInteraction(answer),
      text: allText(steps, stepText),
      error: errorIn(answer),
    })
  },

  readsBothCases: true,
  otherLimitPaths: [['generationConfig', 'maxOutputTokens']],
  maxOutputTokensPath: () => ['generation_config', 'max_output_tokens'],
})

// `event: done` and `data: [DONE]`; proxies in between may add a field or two.
const MAX_DONE_BYTES = 512

function readInteraction(interaction: unknown): ParsedMessage {
  const status = textAt(interaction, 'status')
  const isPending = status !== undefined && UNFINISHED.has(status)
  return {
    model: textAt(interaction, 'model') ?? textAt(interaction, 'agent'),
    responseId: textAt(interaction, 'id'),
    finishReason: isPending ? undefined : status,
    isPending,
    usage: readUsage(valueAt(interaction, 'usage')),
  }
}

/** `function_call`, `google_search_call`, … and the legacy `function_call` deltas. */
function isCall(step: unknown): boolean {
  return textAt(step, 'type')?.endsWith('_call') === true
}

/** Returns what the model wrote in a step. The model did not write the results of tools. */
function stepText(step: unknown): string {
  if (textAt(step, 'type')?.endsWith('_result')) return ''
  const parts = [...listAt(step, 'content'), ...listAt(step, 'summary')]
  return parts.length > 0 ? allText(parts, contentText) : contentText(step)
}

function textsOfStep(step: unknown): TextPlace[] {
  if (textAt(step, 'type')?.endsWith('_result')) return []
  const places = ['content', 'summary'].flatMap((field) =>
    listAt(step, field).flatMap((part, index) => placesBelow([field, index], textsOfPart(part))),
  )
  if (places.length === 0) return textsOfPart(step)
  return isThought(step) ? places.map(({ path }) => ({ path, kind: 'reasoning' })) : places
}

function textsOfPart(part: unknown): TextPlace[] {
  return [
    ...placesAt(part, isThought(part) ? 'reasoning' : 'text', ['text'], ['content', 'text']),
    ...placesAt(part, 'reasoning', ['thought']),
  ]
}

/** `thought`, `thought_summary`. */
function isThought(part: unknown): boolean {
  return textAt(part, 'type')?.startsWith('thought') === true
}

/** Returns the text of a part of a step or of a delta: text, arguments, or the summary of a thought. */
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
