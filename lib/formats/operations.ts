/** `gen_ai.operation.name` by the end of a path, whatever the format; `undefined` if no model generates anything there. */
const OPERATIONS: readonly { readonly path: RegExp; readonly operation: string | undefined }[] = [
  { path: /\/embed(dings)?$|:(batch)?embedContents?$/i, operation: 'embeddings' },
  {
    path: /\/(count_tokens|input_tokens|tokenize|detokenize|moderations|rerank|classify|cancel)$|:countTokens$/,
    operation: undefined,
  },
  { path: /\/(images|audio|videos)\//, operation: 'generate_content' },
]

/** The operation of a path that tells it by itself; `undefined` if the path is up to its format. */
export function operationAt(path: string): { readonly operation: string | undefined } | undefined {
  return OPERATIONS.find((each) => each.path.test(path))
}
