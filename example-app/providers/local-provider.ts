import { type ChatMessage, LLMock } from '@copilotkit/aimock'
import { startAnthropicUsageProxy } from './anthropic-usage-proxy.js'
import { knownProviders, type Provider, type ProviderId } from './provider.js'

const whyStream = `A model writes its answer one token after another. Streaming hands each token over as soon as it is \
there, so that you begin to read after a fraction of a second instead of waiting for the whole text.

The tokens travel as server-sent events: small blocks of text, each closed by an empty line. A proxy on the way must \
never cut such a block in two, must not hold it back, and must stop the model when nobody is reading any more. That is \
what the middleware in front of me does.`

const longStory = `${[
  'There was once a lighthouse at the end of a long pier, and in it lived a keeper who counted the ships.',
  'She counted them by their lights: one for a fishing boat, two for a ferry, three for the great ships that never stopped.',
  'One night a light came that she did not know. It blinked in no rhythm, and it came neither closer nor further.',
  'She wrote it down, as she wrote everything down: the hour, the wind, and a question mark.',
  'The next night it was there again, and the next. She began to answer it with the great lamp, a turn for a blink.',
  'The light answered her answer. So they talked, without knowing what they said, through the whole of that winter.',
  'In spring a small boat came to the pier, with an old man in it, and a lantern whose shutter was broken.',
  '"I hope I did not keep you awake," he said. "It bangs in the wind, and I never found the time to mend it."',
  'The keeper looked at her book, at a hundred pages of careful blinks, and began to laugh.',
  'They mended the shutter together that afternoon. In the evening he went out, and she lit the lamp.',
  'Far out a light appeared, steady and bright. Then it blinked: once, slowly, on purpose.',
].join('\n\n')}\n\nThe end. You could have pressed Stop at any time; the provider would have stopped with you.`

const code = `A client reads the stream with \`fetch\`. This prints the text as it arrives:

\`\`\`js
const response = await fetch('/ai/v1/chat/completions', {
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify({ model, messages, stream: true }),
})
for await (const { data } of serverSentEvents(response.body)) {
  if (data !== '[DONE]') print(JSON.parse(data).choices[0]?.delta.content ?? '')
}
\`\`\`

How the three protocols differ:

| Protocol  | Path                               | The text is in                    |
| --------- | ---------------------------------- | --------------------------------- |
| OpenAI    | \`/v1/chat/completions\`           | \`choices[0].delta.content\`      |
| Anthropic | \`/v1/messages\`                   | \`delta.text\`                    |
| Gemini    | \`…:streamGenerateContent?alt=sse\` | \`candidates[0].content.parts\`   |

Two things to remember:

1. **Whole events only.** A chunk may end in the middle of one.
2. **Stop means stop.** Abort the \`fetch\`, and the provider stops as well.`

const standIn = `I am the stand-in that runs inside this app, because no key is set for this provider. I know a few \
prompts only; the buttons of an empty conversation hold them, and to everything else I say this.

My words still come the real way: as server-sent events over HTTP, through the middleware, into your browser.`

/**
 * Starts a provider for trying things out. It runs in this process, needs no key, and knows only the answers above.
 *
 * @param options.eventsPerSecond pace of its streams, after 400 ms of silence
 */
export async function startLocalProvider({
  eventsPerSecond = 25,
  id = 'openai' as ProviderId,
} = {}): Promise<Provider> {
  const pace = { streamingProfile: { ttft: 400, tps: eventsPerSecond, jitter: 0.5 } }
  // Few and long events: aimock adds a listener per event before it breaks off, and Node warns at the eleventh.
  const breakingOff = {
    streamingProfile: { ...pace.streamingProfile, tps: eventsPerSecond / 5 },
    chunkSize: 25,
    truncateAfterChunks: 10,
  }
  const mock = new LLMock({ host: '127.0.0.1', port: 0, chunkSize: 5 })
  mock.onMessage(/why .*stream/i, answerWith(whyStream), pace)
  mock.onMessage(/code/i, answerWith(code), pace)
  mock.onMessage(/long story/i, answerWith(longStory), pace)
  mock.onMessage(/break off/i, answerWith(longStory), breakingOff)
  mock.onMessage(/refuse/i, {
    error: { message: 'You asked to be refused, so this is a 429.', type: 'rate_limit_error', code: 'rate_limit' },
    status: 429,
  })
  mock.on({}, answerWith(standIn), pace)
  await mock.start()
  const usageProxy = id === 'anthropic' ? await startAnthropicUsageProxy(mock.url) : undefined

  const { title, route } = knownProviders[id]
  return {
    id,
    title,
    route,
    name: 'local stand-in',
    local: true,
    target: usageProxy?.url ?? mock.url,
    model: 'stand-in',
    examples: [
      'Why do you stream?',
      'Show me some code.',
      'Tell me a long story.',
      'Break off in the middle.',
      'Refuse me.',
    ],
    async close() {
      usageProxy?.close()
      await mock.stop()
    },
  }
}

/** An answer with the usage that a provider would report: four characters of the conversation are a token. */
function answerWith(content: string) {
  const output = Math.ceil(content.length / 4)
  return ({ messages }: { messages: ChatMessage[] }) => {
    const input = Math.ceil(messages.reduce((sum, message) => sum + lengthOf(message), 0) / 4)
    return { content, usage: { prompt_tokens: input, completion_tokens: output, total_tokens: input + output } }
  }
}

function lengthOf({ content }: ChatMessage): number {
  if (typeof content === 'string') return content.length
  return content?.reduce((sum, { text }) => sum + (text?.length ?? 0), 0) ?? 0
}
