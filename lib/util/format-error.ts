/** Stands for an object that throws when it is formatted. */
const UNFORMATTABLE = 'an error that cannot be shown'

/** Formats whatever was thrown as text. Never throws, whatever the getters of an error or the traps of a proxy do. */
export function formatError(error: unknown): string {
  try {
    if (!(error instanceof Error)) return String(error)
    const { stack, name, message } = error
    return String(stack || `${name}: ${message}`)
  } catch {
    return UNFORMATTABLE
  }
}

/** Formats an error whose message may contain a key: only its type, and where it was thrown. */
export function formatErrorWithoutMessage(error: unknown): string {
  try {
    if (!(error instanceof Error)) return typeof error
    return [error.name, ...framesOf(String(error.stack ?? ''), String(error.message))].join('\n')
  } catch {
    return UNFORMATTABLE
  }
}

/**
 * Returns the stack lines that are locations. The message is cut off first, because its lines may look like locations.
 */
function framesOf(stack: string, message: string): string[] {
  const at = stack.indexOf(message)
  const rest = at < 0 ? '' : stack.slice(at + message.length)
  return rest.split('\n').filter((line) => /^\s+at /.test(line))
}
