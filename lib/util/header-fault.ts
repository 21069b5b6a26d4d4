import { validateHeaderName, validateHeaderValue } from 'node:http'
import { isFramingHeader } from './hop-by-hop.js'
import { memoize } from './memoize.js'

/** Says why a header that the app sets must not go to the provider; `undefined` if it may. */
export function headerFault(name: string, value: unknown): string | undefined {
  const fault = nameFault(name)
  if (fault !== '') return fault
  if (typeof value !== 'string') return `${name} is not a string`
  return messageOf(() => validateHeaderValue(name, value))
}

/** Says why a header of this name must not be sent; '' if it may. Memoized: an app sets a few. */
const nameFault = memoize((name): string => {
  if (isFramingHeader(name.toLowerCase()) || name.toLowerCase() === 'host') return `HTTP leaves ${name} to the proxy`
  return messageOf(() => validateHeaderName(name)) ?? ''
})

function messageOf(validate: () => void): string | undefined {
  try {
    validate()
    return undefined
  } catch (error) {
    // Node's message names the header, not its value, which may be a secret.
    return (error as Error).message
  }
}
