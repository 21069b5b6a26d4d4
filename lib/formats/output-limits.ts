/** A field of a request, with the names of the objects that it stands in. */
export type FieldPath = readonly string[]

/**
 * Under these names servers look for a limit of output tokens: OpenAI's old and new one and that of its responses, and
 * those of Hugging Face's TGI (`max_new_tokens`), llama.cpp (`n_predict`), Llama (`max_gen_len`), Anthropic's old
 * completions, Titan, AI21, and of gateways that take several protocols at one path.
 *
 * - https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md (`n_predict` goes before `max_tokens`)
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
  'maxTokens',
  'maxTokenCount',
]

/** And in these objects: what Nova, Titan, Ollama, TGI and Google take it in, and what some gateways unpack. */
const OBJECTS = [
  'inferenceConfig',
  'textGenerationConfig',
  'options',
  'parameters',
  'generationConfig',
  'generation_config',
  'extra_body',
]

/** Every place where a limit of output tokens is known to be looked for, by whatever provider. */
export const outputLimitPaths: readonly FieldPath[] = [
  ...NAMES.map((name) => [name]),
  ...OBJECTS.flatMap((object) => [...NAMES, 'maxOutputTokens', 'num_predict'].map((name) => [object, name])),
]

/** The same within an object that holds fields of the model's own. */
export function outputLimitPathsIn(object: string): readonly FieldPath[] {
  return outputLimitPaths.map((path) => [object, ...path])
}
