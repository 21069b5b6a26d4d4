import { MESSAGE_FIELDS } from './error-text.js'

/** Those of FastAPI's errors, and of RFC 9457's, around `detail`. */
export const FIELDS_WITH_DETAIL = new Set(
  'detail errors status status_code code title type instance request_id traceId'.split(' '),
)

/** Those that may accompany an error without being part of an answer. */
export const FIELDS_BESIDE_ERRORS = new Set([
  ...[...FIELDS_WITH_DETAIL, ...MESSAGE_FIELDS, 'error_code', 'errorCode', 'error_type', 'errorType', 'success', 'ok'],
  ...['param', 'reason', 'requestId', 'RequestId', 'trace_id', 'timestamp', 'path'],
])

/** Names of fields that hold an error, or one of its texts. */
export const ERROR_NAME =
  /^(?:(?:api|server|service|upstream|provider|model|request|response|validation)_?)?(?:err(?:or)?|failure|fault|exception)s?[_.-]?(?:messages?|msgs?|text|description|reason|summary|details?|info|response)?$|exception$/i

/** Those of an HTTP status. */
export const STATUS = /^(?:http_?|original_?)?status(?:_?code)?$/i

/** Names of fields with a code of how it went. */
export const CODE =
  /^(?:(?:err(?:or)?|(?:http|original)?_?status|http|ret(?:urn)?|result|resp(?:onse)?)[_-]?)?code$|^(?:err(?:or)?_?no|ret|rc|http_?status|__type|error_?type)$/i

/** Those that only an error has. */
export const ERROR_CODE = /^err(?:or)?[_-]?(?:code|no)$/i
