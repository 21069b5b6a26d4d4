/** `gen_ai.operation.name` by the end of a path, for all formats; `undefined` if no model generates anything there. */
const OPERATIONS: readonly { readonly path: RegExp; readonly operation: string | undefined }[] = [
  { path: /\/embed(dings)?$|:(batch)?embedContents?$/i, operation: 'embeddings' },
  {
    path: /\/(count_tokens|input_tokens|tokenize|detokenize|moderations|rerank|classify|cancel)$|:countTokens$/,
    operation: undefined,
  },
  { path: /\/(images|audio|videos)\//, operation: 'generate_content' },
]

/** Returns the operation of a path; `undefined` if the format decides it. */
export function operationAt(path: string): { readonly operation: string | undefined } | undefined {
  return OPERATIONS.find((each) => each.path.test(path))
}
