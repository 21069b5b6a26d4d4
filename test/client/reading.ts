import assert from 'node:assert/strict'
import type { ResumableOptions } from '../../lib/client/options.js'
import { resumableIn } from '../../lib/client/resumable-in.js'
import type { ResumeError } from '../../lib/client/resume-error.js'
import { FakeServer, ORIGIN } from './fake-server.js'
import { ManualEnvironment } from './manual-environment.js'

export const URL_ASKED = `${ORIGIN}/ai/v1/chat/completions`

export const threeEvents = ['data: {"n":1}\n\n', 'data: {"n":2}\n\n', 'data: {"n":3}\n\n']

/** A server with three events, and what asks it. */
export function threeEventServer(options: ResumableOptions = {}) {
  const server = new FakeServer({ events: threeEvents.map((event) => Buffer.from(event)) })
  const environment = new ManualEnvironment()
  const wrapped = resumableIn(environment, server.fetch, options)
  const post = (init: RequestInit = {}) => wrapped(URL_ASKED, { method: 'POST', body: '{}', ...init })
  /** Bytes before the end of the first events of the first connection. */
  const bytesOf = (count: number) => threeEvents.slice(0, count).join('').length + count * 'id: k1.1\n'.length
  return { server, environment, wrapped, post, bytesOf }
}

/** Reads a body that fails with a {@link ResumeError}. @returns the error, and what came before it */
export async function failing(response: Response): Promise<{ error: ResumeError; text: string }> {
  const reader = response.body!.getReader()
  const chunks: Uint8Array[] = []
  try {
    for (let next = await reader.read(); !next.done; next = await reader.read()) chunks.push(next.value)
  } catch (error) {
    assert.equal((error as Error).name, 'ResumeError')
    return { error: error as ResumeError, text: Buffer.concat(chunks).toString() }
  }
  return assert.fail('the body did not fail')
}
