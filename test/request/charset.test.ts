import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { AiProxyOptions } from '../../lib/api/options.js'
import type { RequestBody } from '../../lib/request/body.js'
import { edited, JSON_TYPE, plain } from './editing.js'

const typed = (type: string, body = plain('{"model":"m"}')): RequestBody => ({
  ...body,
  headers: { ...body.headers, 'content-type': type },
})

const readers: [string, Partial<AiProxyOptions>][] = [
  ['models', { models: ['m'] }],
  ['modelOptions', { modelOptions: { overrides: { a: 1 } as never } }],
  ['onRequest', { onRequest: () => {} }],
]

for (const [name, options] of readers) {
  describe(`with ${name}, a body in an encoding other than UTF-8`, () => {
    for (const type of [
      'application/json; charset=utf-7',
      'application/json;charset="UTF-7"',
      'application/json; charset = utf-7',
      'application/json; charset=utf-8; charset=utf-7',
      'application/json; charset=utf-7-imap',
      "application/json; charset*=utf-8''utf-7",
      'application/json; Charset=utf-16le',
      'application/json; x="; charset=utf-32"',
      'application/json; charset="utf\\-8"',
      'application/json; charset=',
      'application/json; charset=utf-8,utf-7',
      'application/json; charset=utf-8 utf-7',
      'application/json; charset="utf-8"utf-7',
      'application/json; charset="utf-8,utf-7"',
      "application/json; charset=utf-8'",
      'text/plain; charset=iso-8859-1',
    ]) {
      test(`is rejected: ${type}`, async () => {
        await assert.rejects(edited(typed(type), options), { code: 'unsupported_media_type', status: 415 })
      })
    }

    for (const type of [
      JSON_TYPE,
      'application/json; charset=utf-8',
      'application/json;charset=UTF8',
      'application/json; charset="utf-8"; profile=x',
      'application/json; charset=utf-8 ; profile=x',
      'application/json; charset=utf-8;',
      'application/json; charset=US-ASCII',
    ]) {
      test(`is not declared by ${type}`, async () => {
        assert.equal((await edited(typed(type), options)).body.headers['content-type'], type)
      })
    }

    test('is rejected if its bytes are invalid UTF-8', async () => {
      const content = Buffer.from('{"model":"m","mo\xffdel":"x"}', 'latin1')
      const body = { ...plain('{}'), content, json: JSON.parse(content.toString()) }
      await assert.rejects(edited(body, options), { code: 'invalid_request', status: 400 })
    })
  })
}

test('without these options the proxy does not check the encoding', async () => {
  const type = 'application/json; charset=utf-7'
  assert.equal((await edited(typed(type))).body.headers['content-type'], type)
})
