import type { AiProxyOptions } from '../api/options.js'
import type { Policy } from '../api/policy.js'
import { check, invalidOption, orDefault } from './validate.js'

/** Validates the `policies` option. @throws TypeError if it is not a list of policies */
export function resolvePolicies(option: AiProxyOptions['policies']): readonly Policy[] {
  const given: unknown = orDefault(option, [])
  if (!Array.isArray(given)) invalidOption('policies', given, 'a list of policies')
  for (const [at, policy] of given.entries()) {
    const { name, admit, progress, settle, figures, close } = check.record(`policies[${at}]`, policy) as Partial<Policy>
    if (typeof name !== 'string' || name === '') {
      invalidOption(`policies[${at}].name`, name, 'a name, for messages and the debug log')
    }
    for (const [method, value] of Object.entries({ admit, progress, settle, figures, close })) {
      check.optionalFunction(`policies[${at}].${method}`, value)
    }
    if (!admit && !progress && !settle) {
      invalidOption(`policies[${at}]`, policy, 'a policy, which has `admit`, `progress` or `settle`')
    }
    if (given.indexOf(policy) !== at) invalidOption(`policies[${at}]`, policy, 'each policy once')
  }
  return given
}
