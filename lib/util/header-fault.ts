import { validateHeaderName, validateHeaderValue } from 'node:http'
import { isFramingHeader } from './hop-by-hop.js'

/** Says why a header that the app sets must not go to the provider; `undefined` if it may. */
export function headerFault(name: string, value: unknown): string | undefined {
  if (isFramingHeader(name.toLowerCase()) || name.toLowerCase() === 'host') return `HTTP leaves ${name} to the proxy`
  try {
    validateHeaderName(name)
    if (typeof value !== 'string') return `${name} is not a string`
    validateHeaderValue(name, value)
    return undefined
  } catch (error) {
    // Node's message names the header, not its value, which may be a secret.
    return (error as Error).message
  }
}
