import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { isSameModel } from '../../lib/pricing/same-model.js'

describe('an answer names the model that was asked for', () => {
  for (const [asked, answered] of [
    ['gpt-4o', 'gpt-4o'],
    ['gpt-4o', 'gpt-4o-2024-08-06'],
    ['gpt-4', 'gpt-4-0613'],
    ['claude-sonnet-4-0', 'claude-sonnet-4-20250514'],
    ['claude-3-5-haiku-latest', 'claude-3-5-haiku-20241022'],
    ['claude-sonnet-4@20250514', 'claude-sonnet-4-20250514'],
    ['mistral-large-latest', 'mistral-large-2411'],
    ['gemini-2.0-flash', 'gemini-2.0-flash-001'],
    ['models/gemini-2.5-pro', 'gemini-2.5-pro-preview-05-06'],
    ['openai/GPT-4o', 'gpt-4o'],
    ['llama3', 'llama3:latest'],
    ['gpt-4o-2024-08-06', 'gpt-4o'],
    ['anthropic.claude-3-haiku', 'anthropic.claude-3-haiku-20240307-v1:0'],
  ] as const) {
    test(`${asked}: ${answered}`, () => assert.ok(isSameModel(asked, answered)))
  }
})

describe('an answer names another model', () => {
  for (const [asked, answered] of [
    ['gpt-4o', 'gpt-4o-mini'],
    ['gpt-4o', 'gpt-4o-mini-2024-07-18'],
    ['gpt-4', 'gpt-4o'],
    ['gpt-4', 'gpt-4.1-mini'],
    ['gpt-4', 'gpt-4.1'],
    ['claude-sonnet-4', 'claude-sonnet-4-5-20250929'],
    ['gpt-4o-2024-05-13', 'gpt-4o-2024-08-06'],
    ['claude-3-5-haiku-latest', 'claude-sonnet-4-20250514'],
    ['o3', 'o3-pro'],
    ['a', 'b'],
    ['gpt-4o', 'gpt-35-0613'],
    ['gpt-4o', 'gpt-4'],
    ['constructor', '__proto__'],
  ] as const) {
    test(`${asked}: ${answered}`, () => assert.ok(!isSameModel(asked, answered)))
  }
})
