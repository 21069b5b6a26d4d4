import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { CompleteFormat } from '../../lib/formats/index.js'
import { aiProxy, type Format, framings } from '../../lib/index.js'
import { resolveFormat } from '../../lib/options/format.js'
import { HookErrors } from '../../lib/options/hook-errors.js'

const target = 'http://localhost'
const small: Format = { name: 'x-small', readMessage: () => ({}) }

/** The format, resolved, and what it is told of. */
function resolved(format: Format): { format: CompleteFormat; errors: string[] } {
  const errors: string[] = []
  const hookErrors = new HookErrors((error, { hook }) => void errors.push(`${hook}: ${(error as Error).message}`))
  return { format: resolveFormat(format, hookErrors)!, errors }
}

describe('a custom format is validated when the middleware is created', () => {
  const framing = { ...framings.ndjson, name: 'mine' }
  const cases: readonly [what: string, format: unknown, message: string | RegExp][] = [
    ['no object', 5, /^aiProxy: format takes 'openai-chat', .* or an object that describes a format; got 5$/],
    ['an unknown name', 'openai', /^aiProxy: format takes 'openai-chat', /],
    ['no name', { readMessage: () => ({}) }, "aiProxy: format.name takes a name that begins with 'x-'; got undefined"],
    [
      'a name that may become a built-in one',
      { ...small, name: 'acme' },
      "aiProxy: format.name takes a name that begins with 'x-'; got 'acme'",
    ],
    ['no readMessage', { name: 'x-small' }, 'aiProxy: format.readMessage takes a function; got undefined'],
    [
      'a misspelled member',
      { ...small, readAnswr: () => ({}) },
      /^aiProxy: there is no option format.readAnswr. Did you mean format.readAnswer\?/,
    ],
    [
      'a string in place of a function',
      { ...small, errorBody: 'no' },
      "aiProxy: format.errorBody takes a function; got 'no'",
    ],
    [
      'a marker that is not a string',
      { ...small, usageMarker: 5 },
      'aiProxy: format.usageMarker takes a string; got 5',
    ],
    [
      'fields that are not a list',
      { ...small, answerFields: 'id' },
      "aiProxy: format.answerFields takes a list of strings that are not empty; got 'id'",
    ],
    [
      'an invalid endpoint rule',
      { ...small, endpoints: ['POST a?b'] },
      "aiProxy: format.endpoints[0] takes a path like 'POST **/my/chat'; got 'POST a?b'",
    ],
    [
      'a path that is not a RegExp',
      { ...small, modelPaths: ['/a'] },
      "aiProxy: format.modelPaths takes a list of RegExps; got [ '/a' ]",
    ],
    [
      'a header that cannot be sent',
      { ...small, noRetryHeaders: { 'acme-again': 'nö\n' } },
      /^aiProxy: format.noRetryHeaders.acme-again takes a value that an HTTP header can carry/,
    ],
    [
      'a header without a value',
      { ...small, noRetryHeaders: { 'acme-again': false } },
      'aiProxy: format.noRetryHeaders.acme-again takes a string; got a boolean',
    ],
    ['no headers', { ...small, noRetryHeaders: null }, 'aiProxy: format.noRetryHeaders takes an object; got null'],
    [
      'a header that is not a RegExp',
      { ...small, responseHeaders: ['acme-cost'] },
      "aiProxy: format.responseHeaders takes a list of RegExps; got [ 'acme-cost' ]",
    ],
    ...(['modelPaths', 'answerPaths'] as const).map((member): [string, object, string] => [
      `a path without a group in ${member}`,
      { ...small, [member]: [/^\/(a)$/, /^\/b$/] },
      `aiProxy: format.${member} takes a list of RegExps with a group each; got [ /^\\/(a)$/, /^\\/b$/ ]`,
    ]),
    [
      'an invalid counting',
      { ...small, counting: { cache: 'in', reasoning: 'inside' } },
      /^aiProxy: format.counting.cache takes 'inside', 'outside' or 'by total'/,
    ],
    [
      'no framing',
      { ...small, framings: [] },
      'aiProxy: format.framings takes a list of framings that is not empty; got []',
    ],
    [
      'half a framing',
      { ...small, framings: [{ ...framing, read: undefined }] },
      'aiProxy: format.framings[0].read takes a function; got undefined',
    ],
    [
      'a framing with an invalid content type',
      { ...small, framings: [{ ...framing, mediaTypes: ['lines'] }] },
      /^aiProxy: format.framings\[0\].mediaTypes takes a list of types like/,
    ],
    ['an invalid flag', { ...small, readsBothCases: 1 }, 'aiProxy: format.readsBothCases takes true or false; got 1'],
    [
      'half a question for usage',
      { ...small, usageRequest: ['stream_options'] },
      /^aiProxy: format.usageRequest takes two names/,
    ],
    [
      'an invalid path of a limit',
      { ...small, otherLimitPaths: ['max'] },
      "aiProxy: format.otherLimitPaths[0] takes a list of strings that are not empty; got 'max'",
    ],
    [
      'an invalid path of a model',
      { ...small, modelFields: [['model'], ['a', '']] },
      "aiProxy: format.modelFields[1] takes a list of strings that are not empty; got [ 'a', '' ]",
    ],
    [
      'no list of paths',
      { ...small, modelFields: 'model' },
      "aiProxy: format.modelFields takes a list of paths; got 'model'",
    ],
  ]
  for (const [what, format, message] of cases) {
    test(what, () => {
      assert.throws(() => aiProxy({ target, format: format as never }), { name: 'TypeError', message })
    })
  }

  test('a class instance is accepted if it has private fields only', async () => {
    class Talk {
      readonly name = 'x-talk'
      readonly field = 'said'
      readMessage(data: Readonly<Record<string, unknown>>) {
        return { text: String(data[this.field]) }
      }
    }
    // Its fields are members, and `field` is none.
    assert.throws(() => resolved(new Talk() as Format), /there is no option format.field/)
    class Plain {
      readonly name = 'x-talk'
      readonly #field = 'said'
      readMessage(data: Readonly<Record<string, unknown>>) {
        return { text: String(data[this.#field]) }
      }
    }
    assert.deepEqual(resolved(new Plain()).format.readMessage({ said: 'a' }, undefined), { text: 'a' })
  })
})

describe('a minimal format', () => {
  const { format } = resolved({
    name: 'x-small',
    readMessage: ({ last }) => ({ isLast: last === true }),
    modelPaths: [/\/m\/(\w+)$/g],
  })

  test('has defaults', () => {
    assert.deepEqual(format.readAnswer({ last: true }), { isLast: true })
    assert.deepEqual(format.progressIn({}, undefined), {})
    assert.deepEqual(format.counting, { cache: 'inside', reasoning: 'inside' })
    assert.deepEqual(format.errorBody({ code: 'c', status: 500, message: 'm' }), { error: { message: 'm', code: 'c' } })
    assert.equal(format.errorEvent({ error: 'm' }), 'data: {"error":"m"}\n\n')
    assert.deepEqual([format.isErrorBody({ error: 'm' }), format.isErrorBody({})], [true, false])
    assert.deepEqual(format.maxOutputTokensPath({}), ['max_tokens'])
    assert.deepEqual(format.modelFields, [])
    assert.deepEqual(resolved({ ...small, modelFields: [['a', 'b']] }).format.modelFields, [['a', 'b']])
    assert.deepEqual([format.operation('/v1/embeddings', 'm'), format.operation('/talk', 'm')], ['embeddings', 'chat'])
    assert.deepEqual([format.provider, format.usageMarker, format.framings], ['x-small', '', [framings.sse]])
    assert.deepEqual([format.responseHeaders, format.headersWithoutEffect], [[], []])
    assert.deepEqual(format.noRetryHeaders, { 'x-should-retry': 'false' })
    assert.deepEqual(resolved({ ...small, noRetryHeaders: { 'Acme-Again': 'no' } }).format.noRetryHeaders, {
      'acme-again': 'no',
    })
    assert.equal(format.streamsSse('/'), true)
    assert.equal(resolved({ ...small, framings: [framings.ndjson, framings.sse] }).format.streamsSse('/'), false)
  })

  test('recognises [DONE] and the last message as the end of a stream', () => {
    const isLast = (frame: string) => format.isTerminator(Buffer.from(frame))
    assert.deepEqual(
      ['data: {"last":true}\n\n', 'data: [DONE]\n\n', 'data: {"last":false}\n\n', ': ping\n\n', 'data: x\n\n'].map(
        isLast,
      ),
      [true, true, false, false, false],
    )
  })

  test('has RegExps without state', () => {
    const [pattern] = format.modelPaths
    for (let each = 0; each < 3; each++) assert.equal(pattern!.exec('/m/a')?.[1], 'a')
  })
})

describe('a format’s function that throws or returns an invalid value', () => {
  const calls: Readonly<Partial<Record<keyof Format, [call: (format: CompleteFormat) => unknown, instead: unknown]>>> =
    {
      readMessage: [(format) => format.readMessage({}, undefined), {}],
      readAnswer: [(format) => format.readAnswer({}), {}],
      readHeaders: [(format) => format.readHeaders({}), {}],
      textsIn: [(format) => format.textsIn({}, undefined), []],
      progressIn: [(format) => format.progressIn({}, undefined), { isContent: true, isEnd: true }],
      isTerminator: [(format) => format.isTerminator(Buffer.from('data: {}\n\n')), false],
      streamsSse: [(format) => format.streamsSse('/'), true],
      errorBody: [
        (format) => format.errorBody({ code: 'c', status: 500, message: 'm' }),
        { error: { message: 'm', code: 'c' } },
      ],
      isErrorBody: [(format) => format.isErrorBody({ error: 'm' }), true],
      errorEvent: [(format) => format.errorEvent({}), 'data: {}\n\n'],
      maxOutputTokensPath: [(format) => format.maxOutputTokensPath({}), ['max_tokens']],
      takesUsageRequest: [(format) => format.takesUsageRequest('http://localhost/'), true],
      operation: [(format) => format.operation('/talk', 'm'), 'chat'],
    }
  const ways: readonly [what: string, give: () => unknown][] = [
    [
      'throws',
      () => {
        throw new Error('broken')
      },
    ],
    ['returns a symbol', () => Symbol('odd')],
    ['returns a promise that rejects', () => Promise.reject(new Error('late'))],
  ]
  for (const [member, [call, instead]] of Object.entries(calls)) {
    for (const [what, give] of ways) {
      test(`${member} ${what}: it is reported, and a default is used`, () => {
        const { format, errors } = resolved({ ...small, [member]: give })
        assert.deepEqual(call(format), instead)
        assert.equal(errors.length, 1)
        assert.match(errors[0]!, /^format: (?:broken|\w+ of the format x-small returned )/)
      })
    }
  }

  test('errorEvent without a blank line would be lost, and is replaced', () => {
    const { format, errors } = resolved({ ...small, errorEvent: () => 'data: {}\n' })
    assert.equal(format.errorEvent({ a: 1 }), 'data: {"a":1}\n\n')
    assert.equal(errors.length, 1)
  })
})
