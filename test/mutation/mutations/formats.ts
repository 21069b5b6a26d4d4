import { mutationsOf } from '../mutation.js'

/** What the providers' figures mean. */
export const formats = mutationsOf(
  'formats',
  ['test/formats/tokens.test.ts', 'test/formats/usage.test.ts'],
  [
    ["part > whole || (place === 'by total' && hasRoom)", "(place === 'by total' && hasRoom)"],
    ["place === 'outside' || part > whole ||", 'part > whole ||'],
    ['const rest = Math.max(0, totalTokens - parts)', 'const rest = totalTokens - parts'],
    [
      'usage.totalTokens === undefined || totalTokens >= inputTokens + outputTokens + cache',
      'totalTokens >= inputTokens + outputTokens + cache',
    ],
    ['return rest > 0 ? { ...usage, [missing]: rest } : usage', 'return { ...usage, [missing]: rest }'],
    [
      'const count = preferNonZero(preferNonZero(undefined, reported?.[name]), known?.[name])',
      'const count = preferNonZero(preferNonZero(undefined, known?.[name]), reported?.[name])',
    ],
    ["typeof value === 'number' && Number.isFinite(value) && value >= 0", "typeof value === 'number' && value >= 0"],
    [
      "typeof value === 'number' && Number.isFinite(value) && value >= 0",
      "typeof value === 'number' && Number.isFinite(value)",
    ],
    ['if (event.length > MAX_STOP_BYTES || !event.includes', 'if (!event.includes', 'test/formats/anthropic.test.ts'],
    [
      'isUsageOnly: usage !== undefined && error === undefined && choices.every(isEmpty) && hasOnlyUsage(data),',
      'isUsageOnly: usage !== undefined && error === undefined && choices.every(isEmpty),',
      'test/formats/openai-chat.test.ts',
      'test/formats/openai-compatible.test.ts',
    ],
    [
      "textAt(message, 'reasoning_content') ?? textAt(message, 'reasoning') ?? reasoningDetails(message),",
      "(textAt(message, 'reasoning_content') ?? '') + (textAt(message, 'reasoning') ?? ''),",
      'test/formats/openai-chat.test.ts',
      'test/formats/openai-compatible.test.ts',
    ],
    [
      'for (const choice of choices) usage ??= readOpenAiUsage',
      'for (const choice of choices) usage = readOpenAiUsage',
      'test/formats/openai-chat.test.ts',
      'test/formats/openai-compatible.test.ts',
      'test/formats/figures-elsewhere.test.ts',
    ],
    [
      "const isOpenAi = OPENAI.test(url) || OPENAI_REASONING.test(textAt(request, 'model') ?? '')",
      'const isOpenAi = OPENAI.test(url)',
      'test/formats/openai-chat.test.ts',
      'test/request/model-options.test.ts',
    ],
  ],
)
