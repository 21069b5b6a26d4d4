import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import http from 'node:http'
import path from 'node:path'
import { after, before, describe, type TestContext, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import type { LLMock } from '@copilotkit/aimock'
import express, { type RequestHandler } from 'express'
import type { AiProxy } from '../../lib/index.js'
import { startAimock } from '../e2e/support/aimock.js'
import { post } from '../e2e/support/client.js'
import { listen, type Owner } from '../e2e/support/provider.js'
import { pages } from './pages.js'
import { environmentOf, write } from './running.js'
import { makeWorkshop } from './workshop.js'

const blocks = pages
  .flatMap((page) => page.blocks)
  .filter(({ code }) => /export const ai = aiProxy\b/.test(code))
  // These need a server that is not theirs: test/e2e/quota-redis.test.ts has one.
  .filter(({ code }) => !/from '(?:ioredis|redis)'/.test(code))

/** The sign-in that an example expects. */
const signIn: RequestHandler = (req, _res, next) => {
  Object.assign(req, { account: { id: 'ada', team: 'acme', plan: 'paid', models: ['gpt-4.1-mini'], key: 'a-key' } })
  next()
}

/** Examples whose provider speaks another protocol, or whose clients ask for other paths. */
const asked: Record<string, { at: string; body: object }> = {
  target: { at: 'chat/completions', body: {} },
  format: { at: 'v1/messages', body: { max_tokens: 100 } },
}

describe('every middleware in docs/ can be created, and passes a stream', () => {
  const cleaning: (() => unknown)[] = []
  const owner: Owner = { after: (clean) => void cleaning.push(clean as () => unknown) }
  let provider: LLMock
  let workshop: ReturnType<typeof makeWorkshop>
  before(async () => {
    workshop = makeWorkshop()
    writeFileSync(path.join(workshop.folder, 'key'), 'a-key\n')
    provider = await startAimock(owner)
  })
  after(async () => {
    for (const clean of cleaning) await clean()
    workshop.remove()
  })

  test('more than 25 of them are found', () => assert.ok(blocks.length > 25, `${blocks.length} blocks`))

  for (const block of blocks) {
    test(`${block.page}, ${block.heading}`, async (t) => {
      t.mock.method(console, 'log', () => {})
      answerInternalHosts(t)
      Object.assign(process.env, environmentOf(block))
      const code = block.code
        .replace("'/run/secrets/openai'", JSON.stringify(path.join(workshop.folder, 'key')))
        .replace("from 'node:https'", "from 'node:http'")
      const prefix = block.heading === 'target' ? '/v1' : ''
      const file = write({ ...block, code }, workshop.folder, provider.url + prefix)
      const { ai } = (await import(pathToFileURL(file).href)) as { ai: AiProxy }
      t.after(() => ai.close({ graceMs: 0 }))
      const port = await listen(t, http.createServer(express().use('/ai', signIn, ai)))
      const { at, body } = asked[block.heading] ?? { at: 'v1/chat/completions', body: {} }
      const messages = [{ role: 'user', content: 'Hello' }]
      const request = { model: 'gpt-4.1-mini', stream: true, messages, ...body }
      const headers = { 'x-user': 'ada', authorization: 'Bearer acme-key-of-ada' }
      const response = await post(`http://127.0.0.1:${port}/ai/${at}`, request, { headers })
      const text = await response.text()
      assert.equal(response.status, 200, text)
      assert.match(text, /\[DONE\]|message_stop/)
    })
  }
})

/** Answers what a snippet asks the reader's own services, which do not exist here. */
function answerInternalHosts(t: TestContext): void {
  const { fetch } = globalThis
  t.mock.method(globalThis, 'fetch', (...[input, init]: Parameters<typeof fetch>) => {
    const isInternal = new URL(String(input)).hostname.endsWith('.internal.example')
    return isInternal ? Promise.resolve(new Response('{}')) : fetch(input, init)
  })
}
