export { answerRulesFor } from './answer-rules.js'
export { MAX_MODEL_ID_LENGTH } from './aws.js'
export { builtInFormats } from './built-ins.js'
export { MAX_CHOICES } from './choices.js'
export { answersInObjects, type CompleteFormat, complete, sendsObjects } from './complete.js'
export {
  answerIdIn,
  beginningOf,
  beginsTask,
  cacheKeyIn,
  continuationNames,
  joinsConversation,
  keepsAnswers,
  MAX_ANSWER_ID_LENGTH,
} from './conversation.js'
export { statusOfError } from './error-status.js'
export { errorText } from './error-text.js'
export { isAside, isErrorEvent } from './event-names.js'
export { isFailure } from './failed-finish.js'
export { mayReportError } from './failures.js'
export type {
  AnswerHeaders,
  AnyFormatName,
  CustomFormatName,
  FailureNotice,
  Format,
  FormatName,
  JsonObject,
  StreamState,
  TextPlace,
} from './format.js'
export { findFormat, formatNames, getFormat, noRetryHeadersOf, registerFormat } from './formats.js'
export type { AnswerRules } from './google.js'
export { providerAt } from './hosts.js'
export { CONVERSATION_FIELD, conversationAt, conversationIn, isAnsweredWithConversation } from './kept-conversation.js'
export type { ChoiceState, Counting, ParsedMessage, Place, Progress, Usage, WholeItem } from './message.js'
export { formatsOfModelsRequest, modelsAnswer, unknownModel } from './models-list.js'
export { isBlank } from './no-answer.js'
export {
  compoundModelsPath,
  extraBody,
  fallbackFields,
  fallbackMapFields,
  gatewayModelsPath,
  modelHeaders,
  otherEndpoints,
  otherInstructionHeaders,
  otherRequestHeaders,
  otherRequestIdHeaders,
  otherResponseHeaders,
  panelFields,
  routingFields,
} from './other-servers.js'
export type { FieldPath } from './output-limits.js'
export {
  collections,
  hasCustomMethod,
  innerVersionPrefixes,
  isAboutResource,
  MAX_BASE_SEGMENTS,
  mayHaveSlashes,
  mayHaveSpaces,
  versionPrefixes,
} from './path-words.js'
export {
  answersInJson,
  asksForState,
  asksForStream,
  asksModelAt,
  canGenerate,
  detectFormat,
  downloadsFile,
  generatesAt,
  isClaimed,
  isModelInPrefix,
  modelInPath,
  modelSpanInPath,
  possibleModelInPath,
  runsNoModel,
  spellingsOf,
  takesJsonAlone,
  takesUploads,
} from './paths.js'
export { addRateLimit, duration, type ShownLimit } from './rate-limit-headers.js'
export { type RequestField, requestFields } from './request-fields.js'
export { requestedAnswers, requestedChoices, requestedOutput } from './requested-output.js'
export { saidErrorIn } from './said-error.js'
export { saidWithoutAnswer, sentenceWithoutAnswer, spokenErrorIn } from './said-instead.js'
export {
  answerReportHeaders,
  RETRY_AFTER_MS,
  SHOULD_RETRY,
  sdkHeaders,
  sharedHeadersWithoutEffect,
  sharedNoRetryHeaders,
  sharedResponseHeaders,
} from './shared-headers.js'
export { temperatureOf } from './temperature.js'
export { type MessageOfFormat, textOf, withText } from './text.js'
export { reasoningOutsideOutput, type Tokens, tokensOf } from './tokens.js'
export { callsTool } from './tool-calls.js'
export { mergeUsage } from './usage.js'
