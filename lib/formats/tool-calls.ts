/** What every spelling has in it. Searching bytes for a word is much cheaper than reading them. */
const WORDS = ['tool', 'unction', '_call"', 'mcp_approval', 'executableCode']

/** A field with a call in it. Within a text, the quotes would be escaped. */
const FIELD =
  /"(?:tool_calls?|toolCalls?|function_?call|functionCall|toolUse|tool_call_delta|executableCode)"\s*:\s*(?!null\b|\[\s*\]|""|\{\s*\})/
/** A reason to stop, or a type. */
const WORD = /:\s*"(?:tool_calls?|tool_use|function_call|custom_tool_call|mcp_call|TOOL_CALL)"/
/** A part of an answer that calls a tool of any name, such as `computer_call` and `server_tool_use`. */
const TYPE = /"type"\s*:\s*"(?:\w+_call|\w+_tool_use|mcp_approval_request)"/

/**
 * Returns whether bytes of an answer call a tool, in any protocol: the client's, or one that the provider runs. Bytes that
 * quote such a call as JSON count as well.
 */
export function callsTool(bytes: Buffer): boolean {
  if (!WORDS.some((word) => bytes.includes(word))) return false
  const text = bytes.toString('latin1')
  return FIELD.test(text) || WORD.test(text) || TYPE.test(text)
}
