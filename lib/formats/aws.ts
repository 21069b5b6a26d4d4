import { awsEventStream } from '../framing/index.js'
import type { BuiltInFormat } from './built-in.js'
import { dataEvent } from './data-event.js'
import { textAt } from './fields.js'
import type { FailureNotice } from './format.js'

/** No provider's ids of models are longer than Bedrock's, which may be ARNs, in characters. */
export const MAX_MODEL_ID_LENGTH = 2048

/**
 * Members that Bedrock's protocols share: how they report failures, and that they need no terminator because they close
 * their streams themselves.
 *
 * Errors: https://smithy.io/2.0/aws/protocols/aws-restjson1-protocol.html#operation-error-serialization. AWS names the
 * error in a header; without it, SDKs take the name from `code` and the text from `message`.
 */
export const aws = {
  framings: [awsEventStream],
  provider: 'aws.bedrock',
  streamPaths: [/-stream$/],
  possibleModelPaths: [/\/model\/([^/]+)\/./],
  requestHeaders: [
    // Without these headers the guardrail would be skipped, and the model would answer all the same.
    'x-amzn-bedrock-*',
  ],
  // A signature's date and the digest of the body.
  nonSecretNames: [/^x-amz-(?:date|content-)/],
  requestIdHeaders: ['x-amzn-requestid'],
  responseHeaders: [/^x-amzn-(?!remapped-)/],

  errorBody({ code, message }: FailureNotice) {
    return { message, code }
  },

  isErrorBody: (body: unknown) => failureIn(body) !== undefined,
  errorEvent: dataEvent,
  isTerminator: () => false,
} satisfies Partial<BuiltInFormat>

/** Returns the message of an error body; some of AWS's services write `Message`. */
export function failureIn(body: unknown): string | undefined {
  return textAt(body, 'message') ?? textAt(body, 'Message')
}

/**
 * Returns the failure that an event reports if its name is that of an exception, such as `throttlingException`.
 *
 * https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStreamOutput.html
 */
export function exceptionIn(payload: unknown, event: string | undefined): string | undefined {
  return event?.endsWith('Exception') ? (failureIn(payload) ?? event) : undefined
}
