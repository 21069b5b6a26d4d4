/** The codes of the warnings about a set-up in which streams do not work as they should. */
export const setupWarningCodes = [
  'AI_PROXY_BODY_CONSUMED',
  'AI_PROXY_CANNOT_FLUSH',
  'AI_PROXY_KEEP_ALIVE',
  'AI_PROXY_NO_EVENTSTREAM_CODEC',
  'AI_PROXY_PRICE_UNKNOWN',
  'AI_PROXY_SERVER_TIMEOUT',
  'AI_PROXY_TRUST_PROXY',
] as const

/** The code of a warning about the set-up, which the option `warnings` can turn off. */
export type SetupWarningCode = (typeof setupWarningCodes)[number]

/** The codes of all process warnings of this package; each has its heading in `docs/troubleshooting.md`. */
export const warningCodes = [
  ...setupWarningCodes,
  'AI_PROXY_HOOK_THREW',
  'AI_PROXY_JOURNAL_STORE',
  'AI_PROXY_QUOTA_STORE',
  'AI_PROXY_TARGET_REFUSED',
  'AI_PROXY_TURN_THREW',
] as const

type WarningCode = (typeof warningCodes)[number]

/**
 * Emits a process warning of this package. Its message ends with the address that explains it.
 *
 * @param detail stands below the message: a stack, the reason
 */
export function warn(code: WarningCode, message: string, detail?: string): void {
  const address = explanationOf(code)
  const details = { type: 'ExpressAiProxyWarning', code, ...(detail !== undefined && { detail }) }
  process.emitWarning(`${message.replace(/\.?$/, '.')} See ${address}`, details)
}

let docs: string | undefined

/** The address of the section that explains a warning, by the repository that `package.json` names. */
export function explanationOf(code: WarningCode): string {
  // Read with the first warning: most processes have none.
  docs ??= `${repositoryUrl()}/blob/main/docs`
  return `${docs}/troubleshooting.md#${code.toLowerCase()}`
}

function repositoryUrl(): string {
  const { repository } = require('../../package.json') as { repository: { url: string } }
  return repository.url.replace(/^git\+|\.git$/g, '')
}
