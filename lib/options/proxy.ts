import { isIP } from 'node:net'
import { createSecureContext } from 'node:tls'
import type { ProxyOptions } from '../api/provider-options.js'
import { check, hint, invalidOption, objectOf, orDefault } from './validate.js'

/** Names of the `proxy` option's members. */
export const proxyNames = [
  ...(['agent', 'fromEnv', 'secure', 'ssl', 'xfwd'] as const),
  ...(['changeOrigin', 'localAddress', 'fastPath'] as const),
]

/**
 * Validates the `proxy` option.
 *
 * @param option its name
 * @param origin of the target, whose protocol the agent must speak; `undefined` if several have the option in common
 * @param elsewhere dotted names of all options, for the hint in an error
 */
export function resolveProxy(
  option: string,
  proxy: ProxyOptions | undefined,
  origin: string | undefined,
  elsewhere: readonly string[],
): ProxyOptions {
  const given = objectOf(option, orDefault(proxy, {}), proxyNames, elsewhere)
  for (const name of ['fromEnv', 'secure', 'xfwd', 'changeOrigin', 'fastPath'] as const) {
    if (given[name] !== undefined) check.boolean(`${option}.${name}`, given[name])
  }
  const { localAddress }: { localAddress?: unknown } = given
  if (localAddress !== undefined && !(typeof localAddress === 'string' && isIP(localAddress))) {
    invalidOption(`${option}.localAddress`, localAddress, 'an IP address')
  }
  if (given.ssl !== undefined) {
    check.record(`${option}.ssl`, given.ssl)
    const takes = `TLS options for the default agent only: set those of ${option}.agent on that agent`
    if (given.agent) invalidOption(`${option}.ssl`, hint('both'), takes)
    checkTls(`${option}.ssl`, given.ssl)
  }
  if (given.fromEnv && given.agent) {
    invalidOption(`${option}.fromEnv`, hint('both'), `true only without ${option}.agent: leave one of them out`)
  }
  // Node sends requests only with an agent that has this method, of which @types/node knows nothing.
  const { addRequest } = Object(given.agent) as { addRequest?: unknown }
  if (given.agent !== undefined && typeof addRequest !== 'function') {
    invalidOption(`${option}.agent`, given.agent, 'an http.Agent or https.Agent')
  }
  // Do not read `protocol` through its getter: that of agents made with agent-base depends on the call stack, because
  // they support both protocols.
  const protocol: unknown = given.agent && Object.getOwnPropertyDescriptor(given.agent, 'protocol')?.value
  if (origin !== undefined && typeof protocol === 'string' && !origin.startsWith(protocol)) {
    const takes = `an agent for the target's ${new URL(origin).protocol}`
    invalidOption(`${option}.agent`, hint(`an agent for ${protocol}`), takes)
  }
  return given
}

/** Rejects certificates and keys that Node cannot use: otherwise every request would fail. */
function checkTls(option: string, ssl: NonNullable<ProxyOptions['ssl']>): void {
  try {
    createSecureContext(ssl)
  } catch (error) {
    // Neither the options nor Node's message, which may quote them: a key is a secret.
    const code = (error as NodeJS.ErrnoException).code ?? 'an error'
    invalidOption(option, hint(`options for which Node reports ${code}`), 'TLS options that Node can use')
  }
}
