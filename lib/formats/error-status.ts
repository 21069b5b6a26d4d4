import { isObject } from '../json/json.js'
import { listAt, textAt, valueAt } from './fields.js'

/**
 * Statuses of the words by which providers name their errors. Case and punctuation do not count; some servers spell
 * another's words in their own way.
 */
const STATUSES: Readonly<Record<number, readonly string[]>> = {
  400: [
    // Anthropic (https://docs.anthropic.com/en/api/errors) and OpenAI.
    'invalid_request_error',
    // OpenAI: https://platform.openai.com/docs/guides/error-codes, and the codes of a failed response:
    // https://platform.openai.com/docs/api-reference/responses/object#responses/object-error
    ...['context_length_exceeded', 'content_filter', 'content_policy_violation', 'string_above_max_length'],
    ...['invalid_prompt', 'invalid_image', 'invalid_image_format', 'invalid_base64_image', 'invalid_image_url'],
    ...['image_too_large', 'image_too_small', 'image_parse_error', 'image_content_policy_violation'],
    ...['unsupported_parameter', 'unsupported_value', 'missing_required_parameter', 'invalid_value', 'invalid_type'],
    // vLLM: https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html
    'BadRequestError',
    // Google: https://github.com/googleapis/googleapis/blob/master/google/rpc/code.proto
    ...['INVALID_ARGUMENT', 'FAILED_PRECONDITION', 'OUT_OF_RANGE'],
    // Bedrock: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html#API_runtime_ConverseStream_Errors
    'ValidationException',
    // Alibaba: https://www.alibabacloud.com/help/en/model-studio/error-code
    ...['InvalidParameter', 'DataInspectionFailed', 'data_inspection_failed'],
  ],
  401: ['authentication_error', 'invalid_api_key', 'invalid_authentication', 'UNAUTHENTICATED', 'InvalidApiKey'],
  402: ['billing_error', 'insufficient_balance', 'payment_required'],
  403: [
    ...['permission_error', 'permission_denied', 'PERMISSION_DENIED', 'unsupported_country_region_territory'],
    ...['AccessDeniedException', 'AccessDenied'],
  ],
  404: [
    ...['not_found_error', 'model_not_found', 'NOT_FOUND', 'NotFoundError', 'ResourceNotFoundException'],
    // Azure: https://learn.microsoft.com/en-us/azure/ai-foundry/openai/how-to/create-resource
    ...['DeploymentNotFound', 'ModelNotFound'],
  ],
  408: ['ModelTimeoutException'],
  409: ['conflict_error', 'ABORTED', 'ALREADY_EXISTS'],
  413: ['request_too_large', 'RequestTooLarge'],
  422: ['unprocessable_entity_error'],
  429: [
    ...['rate_limit_error', 'rate_limit_exceeded', 'insufficient_quota', 'too_many_requests', 'RateLimitError'],
    ...['RESOURCE_EXHAUSTED', 'ThrottlingException', 'ServiceQuotaExceededException', 'ModelNotReadyException'],
    ...['Throttling', 'Throttling.RateQuota', 'Throttling.AllocationQuota', 'Throttling.BurstRate', 'LimitRequests'],
  ],
  500: [
    ...['api_error', 'server_error', 'internal_error', 'internal_server_error', 'InternalServerError', 'InternalError'],
    ...['INTERNAL', 'UNKNOWN', 'DATA_LOSS', 'InternalServerException'],
    // Its status is 424, of a dependency: the model, which failed.
    ...['ModelStreamErrorException', 'ModelErrorException'],
  ],
  501: ['UNIMPLEMENTED'],
  502: ['bad_gateway', 'upstream_error'],
  503: [
    ...['UNAVAILABLE', 'ServiceUnavailableException', 'service_unavailable', 'service_unavailable_error'],
    ...['engine_overloaded', 'overloaded', 'ServiceUnavailable', 'ModelUnavailable'],
  ],
  504: ['timeout_error', 'DEADLINE_EXCEEDED', 'gateway_timeout'],
  529: ['overloaded_error'],
}

const statusOfWord = new Map(
  Object.entries(STATUSES).flatMap(([status, words]) => words.map((word) => [plain(word), Number(status)] as const)),
)

/** MiniMax: https://platform.minimax.io/docs/api-reference/errorcode */
const MINIMAX_STATUSES: Readonly<Record<number, number>> = {
  1000: 500,
  1001: 504,
  1002: 429,
  1004: 401,
  1008: 402,
  1024: 500,
  1026: 400,
  1027: 400,
  1033: 500,
  1039: 429,
  2013: 400,
  2049: 401,
  2056: 429,
}

/** Fields with a status, as a number or its digits. OpenRouter has it in `code` (https://openrouter.ai/docs/api/errors). */
const STATUS_FIELDS = ['status', 'status_code', 'statusCode', 'http_status', 'code', 'error_code']

/** Fields with the word for an error, the most specific one first. */
const WORD_FIELDS = ['code', 'status', 'type', '__type', 'error_code', 'error_type', 'error', 'reason']

/**
 * Returns the HTTP status that an error within a successful response stands for: what the provider would have answered
 * if it had failed before its head.
 *
 * @param data of the message: an event's, a line's, or a whole answer's
 * @param event name of the event, if it has one: AWS names its exceptions there
 * @returns 400 to 599; `undefined` if the error does not show it
 */
export function statusOfError(data: unknown, event?: string): number | undefined {
  const named = event === undefined ? undefined : statusOfWord.get(plain(event))
  if (named !== undefined) return named
  const reports = reportsIn(data)
  return (
    firstOf(reports, numericStatus) ??
    firstOf(reports, statusByWord) ??
    minimaxStatus(valueAt(data, 'base_resp', 'status_code')) ??
    wrappedException(data)
  )
}

/** Returns what may describe the error, the most specific object first. */
function reportsIn(data: unknown): readonly unknown[] {
  let message = data
  while (Array.isArray(message) && message.length === 1) message = message[0]
  const inner = [
    valueAt(message, 'error'),
    valueAt(message, 'response', 'error'),
    valueAt(message, 'interaction', 'error'),
    ...listAt(message, 'errors').slice(0, 1),
    ...listAt(message, 'choices')
      .slice(0, 1)
      .map((choice) => valueAt(choice, 'error')),
  ]
  return [...inner.filter((each) => isObject(each)), message]
}

function numericStatus(report: unknown): number | undefined {
  for (const field of STATUS_FIELDS) {
    const status = asStatus(valueAt(report, field))
    if (status !== undefined) return status
  }
  return undefined
}

function asStatus(value: unknown): number | undefined {
  if (typeof value !== 'number' && !(typeof value === 'string' && /^\d{3}$/.test(value))) return undefined
  const status = Number(value)
  return Number.isInteger(status) && status >= 400 && status <= 599 ? status : undefined
}

function statusByWord(report: unknown): number | undefined {
  for (const field of WORD_FIELDS) {
    // AWS puts a namespace before the name: `com.amazon.coral.service#ThrottlingException`.
    const word = textAt(report, field)?.split('#').at(-1)
    const status = word === undefined ? undefined : statusOfWord.get(plain(word))
    if (status !== undefined) return status
  }
  return undefined
}

function minimaxStatus(code: unknown): number | undefined {
  return typeof code === 'number' || typeof code === 'string' ? MINIMAX_STATUSES[Number(code)] : undefined
}

/** Proxies that do not know the headers of an AWS event stream wrap an exception: `{"throttlingException":{…}}`. */
function wrappedException(data: unknown): number | undefined {
  const names = isObject(data) ? Object.keys(data) : []
  return firstOf(names, (name) => (name.endsWith('Exception') ? statusOfWord.get(plain(name)) : undefined))
}

function firstOf<T>(list: readonly T[], pick: (item: T) => number | undefined): number | undefined {
  for (const item of list) {
    const status = pick(item)
    if (status !== undefined) return status
  }
  return undefined
}

/** Returns a word in lower case, without anything but letters and digits. */
function plain(word: string): string {
  return word.toLowerCase().replace(/[^a-z0-9]/g, '')
}
