/**
 * How each provider is asked, and what its events say. The page speaks the provider's own protocol, as an SDK would; the
 * middleware passes it through.
 *
 * `messages` are `{ role: 'user' | 'assistant', text }`, oldest first. Parameters that are not set are left out.
 */
export const protocols = {
  openai: {
    path: () => '/v1/chat/completions',
    headers: {},
    maxTemperature: 2,
    body: ({ model, system, temperature, maxTokens }, messages) => ({
      model,
      stream: true,
      messages: [
        ...(system ? [{ role: 'system', content: system }] : []),
        ...messages.map(({ role, text }) => ({ role, content: text })),
      ],
      temperature,
      max_completion_tokens: maxTokens,
    }),
    textOf: (event) => event.choices?.[0]?.delta?.content,
    isLast: (_event, data) => data === '[DONE]',
    modelsPath: '/v1/models',
    modelsOf: ({ data }) => data.map(({ id }) => id),
  },
  anthropic: {
    path: () => '/v1/messages',
    headers: { 'anthropic-version': '2023-06-01' },
    maxTemperature: 1,
    body: ({ model, system, temperature, maxTokens = 4096 }, messages) => ({
      model,
      stream: true,
      max_tokens: maxTokens, // required
      system,
      messages: messages.map(({ role, text }) => ({ role, content: text })),
      temperature,
    }),
    textOf: (event) => event.delta?.text,
    isLast: (event) => event.type === 'message_stop',
    modelsPath: '/v1/models',
    modelsOf: ({ data }) => data.map(({ id }) => id),
  },
  gemini: {
    path: ({ model }) => `/v1beta/models/${encodeURIComponent(model)}:streamGenerateContent?alt=sse`,
    headers: {},
    maxTemperature: 2,
    body: ({ system, temperature, maxTokens }, messages) => ({
      contents: messages.map(({ role, text }) => ({ role: role === 'user' ? 'user' : 'model', parts: [{ text }] })),
      systemInstruction: system ? { parts: [{ text: system }] } : undefined,
      generationConfig:
        temperature === undefined && maxTokens === undefined ? undefined : { temperature, maxOutputTokens: maxTokens },
    }),
    textOf: (event) =>
      event.candidates?.[0]?.content?.parts?.map(({ text, thought }) => (thought ? '' : (text ?? ''))).join(''),
    isLast: (event) => event.candidates?.[0]?.finishReason !== undefined,
    modelsPath: '/v1beta/models',
    modelsOf: ({ models }) => models.map(({ name }) => name.replace(/^models\//, '')),
  },
}
