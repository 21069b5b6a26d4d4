import { extraBody } from './other-servers.js'

/** Path of a field in a request: the names of the enclosing objects, then its own. */
export type FieldPath = readonly string[]

/**
 * Names under which servers accept a limit of output tokens: OpenAI's old and new one and that of its responses, and
 * those of Hugging Face's TGI (`max_new_tokens`), llama.cpp (`n_predict`), Llama (`max_gen_len`), Anthropic's old
 * completions, Titan, AI21, and of gateways that accept several protocols at one path.
 *
 * - https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md (`n_predict` takes precedence over
 *   `max_tokens`)
 * - https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters.html
 */
const NAMES = [
  'max_tokens',
  'max_completion_tokens',
  'max_output_tokens',
  'max_new_tokens',
  'max_tokens_to_sample',
  'max_gen_len',
  'max_length',
  'n_predict',
  'num_predict',
  'maxTokens',
  'maxOutputTokens',
  'maxTokenCount',
]

/** Objects that may hold the limit: those of Nova, Titan, Ollama, TGI and Google, and one that some gateways unpack. */
const OBJECTS = [
  'inferenceConfig',
  'textGenerationConfig',
  'options',
  'parameters',
  'generationConfig',
  'generation_config',
  extraBody,
]

/** Every path at which any provider is known to accept a limit of output tokens. */
export const outputLimitPaths: readonly FieldPath[] = [
  ...NAMES.map((name) => [name]),
  ...OBJECTS.flatMap((object) => NAMES.map((name) => [object, name])),
]

/** Returns the same paths within an object that holds the model's own fields. */
export function outputLimitPathsIn(object: string): readonly FieldPath[] {
  return outputLimitPaths.map((path) => [object, ...path])
}
