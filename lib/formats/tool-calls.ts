/** What every spelling has in it. Searching bytes for a word is much cheaper than reading them. */
const WORDS = ['tool', 'unction']

/**
 * A call of a tool, in any protocol: a field with a call in it, or a type that says so. Within a text, the quotes would be
 * escaped.
 */
const CALL =
  /"(?:tool_calls?|toolCalls?|function_?call|functionCall|toolUse|tool_call_delta)"\s*:\s*(?!null\b|\[\s*\]|""|\{\s*\})|:\s*"(?:tool_calls?|tool_use|function_call|custom_tool_call|mcp_call|TOOL_CALL)"/

/** Returns whether bytes of an answer call a tool. Bytes that quote such a call as JSON count as well. */
export function callsTool(bytes: Buffer): boolean {
  return WORDS.some((word) => bytes.includes(word)) && CALL.test(bytes.toString('latin1'))
}
