/** Of an object that throws when it is shown. */
const UNFORMATTABLE = 'an error that cannot be shown'

/** Whatever was thrown, as text. It never throws, whatever the getters of an error or the traps of a proxy do. */
export function formatError(error: unknown): string {
  try {
    if (!(error instanceof Error)) return String(error)
    const { stack, name, message } = error
    return String(stack || `${name}: ${message}`)
  } catch {
    return UNFORMATTABLE
  }
}

/** The same where the message may tell a key: only what it is, and where it was thrown. */
export function formatErrorWithoutMessage(error: unknown): string {
  try {
    if (!(error instanceof Error)) return typeof error
    return [error.name, ...framesOf(String(error.stack ?? ''), String(error.message))].join('\n')
  } catch {
    return UNFORMATTABLE
  }
}

/** The lines of a stack that say where; a message may have lines that look like them. */
function framesOf(stack: string, message: string): string[] {
  const at = stack.indexOf(message)
  const rest = at < 0 ? '' : stack.slice(at + message.length)
  return rest.split('\n').filter((line) => /^\s+at /.test(line))
}
