import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import path from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import express from 'express'
import type { AiProxy } from '../../lib/index.js'
import { post } from '../e2e/support/client.js'
import { listen, startProvider } from '../e2e/support/provider.js'
import { root } from './pages.js'

describe('the hook of docs/hooks.md', () => {
  const readme = readFileSync(path.join(root, 'docs/hooks.md'), 'utf8')
  const [, code] = /```ts\n(.*?onRequest\(.*?)```/s.exec(readme)!

  /** The example as a file of its own, which finds the package and its types as the project's own files do. */
  function written(t: TestContext, text: string): string {
    const folder = mkdtempSync(path.join(root, 'test/docs/hook-'))
    t.after(() => rmSync(folder, { recursive: true }))
    const file = path.join(folder, 'example.ts')
    writeFileSync(file, text)
    const config = { extends: '../../../tsconfig.json', include: ['example.ts'], exclude: [] }
    writeFileSync(path.join(folder, 'tsconfig.json'), JSON.stringify(config))
    return file
  }

  test('compiles in strict TypeScript', (t) => {
    const folder = path.dirname(written(t, code!))
    const tsc = path.join(root, 'node_modules/typescript/bin/tsc')
    execFileSync(process.execPath, [tsc, '-p', folder], { encoding: 'utf8' })
  })

  test('adds its system prompt to every request that generates, and throws on no request', async (t) => {
    process.env.OPENAI_API_KEY = 'key'
    const provider = await startProvider(t, { onCall: (call) => call.req.on('end', () => call.json(200, {})) })
    const { ai } = require(written(t, code!.replace('https://api.openai.com', provider.url))) as { ai: AiProxy }
    const port = await listen(t, http.createServer(express().use('/ai', ai)))
    const url = `http://127.0.0.1:${port}/ai`
    const model = 'gpt-4.1-mini'
    for (const [at, body] of [
      ['chat/completions', { model, messages: [{ role: 'user', content: 'Hi' }] }],
      ['responses', { model, input: 'Hi', instructions: 'Answer at length.' }],
    ] as const) {
      assert.equal((await post(`${url}/v1/${at}`, body)).status, 200)
      assert.match(await (await provider.next()).text, /Answer in one paragraph\./)
    }
    assert.equal((await fetch(`${url}/v1/models`)).status, 200)
    for (const at of ['chat/completions', 'responses']) {
      for (const body of [{ model }, { model, messages: null }, { model, messages: 'Hi' }, [], 'Hi', 5, null]) {
        assert.notEqual((await post(`${url}/v1/${at}`, body)).status, 500, `${at} ${JSON.stringify(body)}`)
      }
    }
    assert.equal((await post(`${url}/v1/completions`, { model, prompt: 'Hi' })).status, 404)
  })
})
