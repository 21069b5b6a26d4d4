import { z } from 'zod'
import { askedBothWays, mockedText, startAimock } from '../e2e/support/aimock.js'
import type { Owner } from '../e2e/support/provider.js'

const City = z.object({ city: z.string() })

/** The tool that aimock calls when it is asked for the weather. */
export const weather = {
  name: 'weather',
  description: 'The weather in a city',
  schema: City,
  run: ({ city }: z.infer<typeof City>) => `Rain in ${city}`,
}
/** What it is asked with, and how the conversation ends. */
export const aboutWeather = { question: 'What about the weather?', result: 'Rain in Göteborg', last: mockedText }
/** What it is asked for an object with, of the tool's schema, and what it answers. */
export const aboutObject = { question: 'An object, please', answer: { city: 'Göteborg' } }

/** Runs the same client code against `@copilotkit/aimock`, without the proxy and through it. */
export async function mockedBothWays<T>(t: Owner, use: (url: string) => Promise<T>): Promise<T> {
  const mock = await startAimock(t)
  const fixed = { id: 'answer-2', created: 1_700_000_000, model: 'model-that-answered' }
  mock.prependFixture({ match: { userMessage: /object/ }, response: { ...fixed, content: '{"city":"Göteborg"}' } })
  mock.prependFixture({
    match: { toolResultContains: aboutWeather.result },
    response: { ...fixed, content: aboutWeather.last },
  })
  const { result } = await askedBothWays(t, use, mock.url)
  return result
}
