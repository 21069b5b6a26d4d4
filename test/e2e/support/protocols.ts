import assert from 'node:assert/strict'

export interface Protocol {
  readonly name: string
  /** The provider's path for a generation. */
  readonly path: string
  readonly request: Record<string, unknown>
  readonly events: readonly [string, string, ...string[]]
  /** The protocol's terminating event. */
  readonly terminator: string
  /** Whether a text contains that terminator. */
  isTerminated(text: string): boolean
  /** The error of a body. Fails if it does not have this protocol's format. */
  errorIn(body: unknown): { code: string; message: string; type: string }
  /** The error of an event. */
  errorInEvent(event: string | undefined): { code: string; message: string; type: string }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

function described(error: unknown): { code: string; message: string; type: string } {
  assert.ok(isRecord(error), `no error: ${JSON.stringify(error)}`)
  const { code, message, type } = error
  assert.ok(typeof code === 'string' && typeof message === 'string' && typeof type === 'string')
  assert.ok(message !== '' && type !== '')
  return { code, message, type }
}

export const openai: Protocol = {
  name: 'OpenAI',
  path: '/v1/chat/completions',
  request: { model: 'gpt-test', stream: true, messages: [{ role: 'user', content: 'Hi' }] },
  events: [chunk('Hel'), chunk('lo'), chunk('!')],
  terminator: 'data: [DONE]\n\n',
  isTerminated: (text) => text.includes('[DONE]'),
  errorIn(body) {
    assert.ok(isRecord(body) && isRecord(body.error), `no error body: ${JSON.stringify(body)}`)
    assert.deepEqual(Object.keys(body), ['error'])
    assert.deepEqual(Object.keys(body.error).sort(), ['code', 'message', 'param', 'type'])
    assert.equal(body.error.param, null)
    return described(body.error)
  },
  errorInEvent(event) {
    const data = /^data: (.*)\n\n$/.exec(event ?? '')?.[1]
    assert.ok(data, `no error event: ${event}`)
    return openai.errorIn(JSON.parse(data))
  },
}

export const anthropic: Protocol = {
  name: 'Anthropic',
  path: '/v1/messages',
  request: { model: 'claude-test', stream: true, max_tokens: 9, messages: [{ role: 'user', content: 'Hi' }] },
  events: [named('message_start', { message: message() }), delta('Hel'), delta('lo')],
  terminator: named('message_stop', {}),
  isTerminated: (text) => text.includes('message_stop'),
  errorIn(body) {
    assert.ok(isRecord(body), `no error body: ${JSON.stringify(body)}`)
    assert.equal(body.type, 'error')
    return described(body.error)
  },
  errorInEvent(event) {
    const data = /^event: error\ndata: (.*)\n\n$/.exec(event ?? '')?.[1]
    assert.ok(data, `no error event: ${event}`)
    return anthropic.errorIn(JSON.parse(data))
  },
}

export const protocols = [openai, anthropic]

function chunk(content: string): string {
  const body = { id: 'c1', object: 'chat.completion.chunk', created: 1, model: 'gpt-test' }
  return `data: ${JSON.stringify({ ...body, choices: [{ index: 0, delta: { content }, finish_reason: null }] })}\n\n`
}

function named(type: string, fields: object): string {
  return `event: ${type}\ndata: ${JSON.stringify({ type, ...fields })}\n\n`
}

function delta(text: string): string {
  return named('content_block_delta', { index: 0, delta: { type: 'text_delta', text } })
}

function message() {
  const usage = { input_tokens: 1, output_tokens: 1 }
  return { id: 'm1', type: 'message', role: 'assistant', content: [], model: 'claude-test', stop_reason: null, usage }
}
