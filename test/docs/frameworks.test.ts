import assert from 'node:assert/strict'
import type { RequestListener } from 'node:http'
import http from 'node:http'
import { after, before, describe, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { mockedText, startAimock } from '../e2e/support/aimock.js'
import { post } from '../e2e/support/client.js'
import { listen, type Owner } from '../e2e/support/provider.js'
import { pages } from './pages.js'
import { environmentOf, write } from './running.js'
import { makeWorkshop } from './workshop.js'

const request = { model: 'm', stream: true, messages: [{ role: 'user', content: 'Hello' }] }

describe('recipes that export what a platform calls', () => {
  const cleaning: (() => unknown)[] = []
  const owner: Owner = { after: (clean) => void cleaning.unshift(clean as () => unknown) }
  /** What a recipe's file exports. */
  let load: (recipe: string) => Promise<Record<string, unknown>>
  before(async () => {
    const { folder, remove } = makeWorkshop()
    cleaning.push(remove)
    const provider = await startAimock(owner)
    load = async (recipe) => {
      const [block] = pages.find(({ file }) => file === `docs/recipes/${recipe}.md`)!.blocks
      Object.assign(process.env, environmentOf(block!))
      return import(pathToFileURL(write(block!, folder, provider.url)).href)
    }
  })
  after(async () => {
    for (const clean of cleaning) await clean()
  })

  test("serverless: Lambda's handler returns the whole answer", async () => {
    const { handler } = (await load('serverless')) as { handler: (event: object, context: object) => Promise<Answer> }
    const headers = { host: 'x.lambda-url.eu-west-1.on.aws', 'content-type': 'application/json' }
    const event = {
      version: '2.0',
      rawPath: '/ai/v1/chat/completions',
      rawQueryString: '',
      headers,
      requestContext: { http: { method: 'POST', path: '/ai/v1/chat/completions', sourceIp: '192.0.2.1' } },
      body: JSON.stringify(request),
      isBase64Encoded: false,
    }
    const { statusCode, body, isBase64Encoded } = await handler(event, {})
    const text = isBase64Encoded ? Buffer.from(body, 'base64').toString() : body
    assert.equal(statusCode, 200, text)
    assert.equal(textOf(text), mockedText)
    assert.match(text, /data: \[DONE\]\n\n$/)
  })

  test("Next: the API route answers if it is called as Next's pages router does", async (t) => {
    const { default: route, config } = (await load('next')) as { default: RequestListener; config: object }
    assert.deepEqual(config, { api: { bodyParser: false, externalResolver: true } })
    const port = await listen(t, http.createServer(route))
    const response = await post(`http://127.0.0.1:${port}/api/ai/v1/chat/completions`, request)
    const text = await response.text()
    assert.equal(response.status, 200, text)
    assert.equal(textOf(text), mockedText)
  })
})

interface Answer {
  statusCode: number
  body: string
  isBase64Encoded: boolean
}

/** What a model wrote in a stream. */
function textOf(events: string): string {
  return [...events.matchAll(/"content":"([^"]*)"/g)].map(([, piece]) => piece).join('')
}
