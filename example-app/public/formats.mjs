/**
 * How each provider is asked, and what its events say. The page speaks the provider's own protocol, as an SDK would: the
 * middleware passes it through.
 */
export const formats = {
  openai: {
    path: () => '/v1/chat/completions',
    headers: {},
    body: (model, text) => ({ model, stream: true, messages: [{ role: 'user', content: text }] }),
    textOf: (event) => event.choices?.[0]?.delta?.content,
    isLast: (_event, data) => data === '[DONE]',
  },
  anthropic: {
    path: () => '/v1/messages',
    headers: { 'anthropic-version': '2023-06-01' },
    body: (model, text) => ({
      model,
      stream: true,
      max_tokens: 2048,
      messages: [{ role: 'user', content: text }],
    }),
    textOf: (event) => event.delta?.text,
    isLast: (event) => event.type === 'message_stop',
  },
  gemini: {
    path: (model) => `/v1beta/models/${encodeURIComponent(model)}:streamGenerateContent?alt=sse`,
    headers: {},
    body: (_model, text) => ({ contents: [{ role: 'user', parts: [{ text }] }] }),
    textOf: (event) => event.candidates?.[0]?.content?.parts?.map(({ text }) => text ?? '').join(''),
    isLast: (event) => event.candidates?.[0]?.finishReason !== undefined,
  },
}
