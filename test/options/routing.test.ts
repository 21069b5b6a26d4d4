import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { AiProxyOptions } from '../../lib/index.js'
import { resolveOptions } from '../../lib/options/resolve.js'

const target = 'https://api.openai.com'
const targets = [{ name: 'a', target }]
const attemptsOf = (options: AiProxyOptions) => resolveOptions(options).routing?.retry.attempts
const onAttempt = () => {}

describe('a request has', () => {
  test('one attempt at the only target, also if a hook sees it', () => {
    assert.equal(attemptsOf({ target }), undefined)
    assert.equal(attemptsOf({ target, retry: false }), undefined)
    assert.equal(attemptsOf({ target, onAttempt }), 1)
    assert.equal(attemptsOf({ target, onAttempt, retry: false }), 1)
  })

  test('three attempts, or as many as `retry` says', () => {
    assert.equal(attemptsOf({ target, retry: {} }), 3)
    assert.equal(attemptsOf({ target, onAttempt, retry: { attempts: 2 } }), 2)
    assert.equal(attemptsOf({ targets }), 3)
    assert.equal(attemptsOf({ targets, onAttempt }), 3)
    assert.equal(attemptsOf({ targets, retry: { attempts: 5 } }), 5)
    assert.equal(attemptsOf({ targets, retry: false }), 1)
  })
})
