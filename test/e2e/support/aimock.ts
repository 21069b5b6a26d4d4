import assert from 'node:assert/strict'
import { LLMock } from '@copilotkit/aimock'
import type { AiProxyOptions, ExchangeRecord } from '../../../lib/index.js'
import { startApp } from './app.js'
import type { Owner } from './provider.js'
import { assertTold } from './streams.js'

/** The usage that the provider reports in every test against it. */
export const mocked = { inputTokens: 31, outputTokens: 17 }
export const mockedText = 'The lighthouse keeper counted the ships: one, two, three.'

/** `@copilotkit/aimock`: one answer in every provider's protocol, and another with a tool call. */
export async function startAimock(t: Owner): Promise<LLMock> {
  const mock = new LLMock({ host: '127.0.0.1', port: 0, chunkSize: 9 })
  const fixed = {
    id: 'answer-1',
    created: 1_700_000_000,
    model: 'model-that-answered',
    usage: { prompt_tokens: mocked.inputTokens, completion_tokens: mocked.outputTokens },
  }
  mock.onMessage(/weather/, {
    ...fixed,
    toolCalls: [{ id: 'call_1', name: 'weather', arguments: '{"city":"Göteborg"}' }],
  })
  mock.onEmbedding(/./, { embedding: [0.25, -0.5, 1] })
  mock.on({}, { ...fixed, content: mockedText })
  await mock.start()
  t.after(() => mock.stop())
  return mock
}

interface Compared<T> {
  readonly result: T
  readonly record: ExchangeRecord
}

/**
 * Asks a provider directly and through the proxy, and asserts that the results are equal.
 *
 * @param ask asks the provider at this base URL
 */
export async function askedBothWays<T>(
  t: Owner,
  ask: (baseUrl: string) => Promise<T>,
  target?: string,
  options: Partial<AiProxyOptions> = {},
): Promise<Compared<T>> {
  const provider = target ?? (await startAimock(t)).url
  const app = await startApp(t, { target: provider, ...options })
  const direct = await ask(provider)
  const result = await ask(app.url)
  assert.deepEqual(steady(result), steady(direct))
  return { result, record: await app.record() }
}

/** Collects every item of a stream. */
export async function collected<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const item of stream) all.push(item)
  return all
}

/** Times, ids and padding that differ for each answer, and the headers of the connection. */
const DRAWN =
  /^(?:created_at|createdAt|completed_at|id|item_id|itemId|requestId|obfuscation|toolUseId|date|httpHeaders|headers|sdkHttpResponse|\$metadata|rawResponse|responseHeaders)$/

function steady(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, (key, inner: unknown) => (DRAWN.test(key) ? typeof inner : inner)) ?? 'null',
  ) as unknown
}

/** Asserts what the record of a whole answer must have if its provider reports usage. */
export function assertExact({ record }: { record: ExchangeRecord }, expected: Partial<ExchangeRecord>): void {
  const base = { outcome: 'completed', status: 200, code: undefined, error: undefined, limit: undefined } as const
  assertTold(record, { ...base, ...expected })
  assert.equal(record.usage?.estimated, false)
  if (!record.stream) return
  assert.ok(record.firstTokenMs !== undefined, 'the first token of a stream has a time')
  assert.ok(record.firstByteMs !== undefined && record.firstTokenMs >= record.firstByteMs)
  assert.ok(record.firstTokenMs <= record.durationMs)
  assert.ok(record.outputTokensPerSecond !== undefined && record.outputTokensPerSecond > 0)
}
