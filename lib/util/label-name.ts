/** Maximum number of labels that the app may give an exchange. */
export const MAX_LABELS = 10
/** Maximum length of a label's name. */
const MAX_NAME_LENGTH = 64

/** Describes what {@link isLabelName} accepts, for error messages. */
export const LABEL_NAME_RULE = `letters, digits and _, no digit at the start, ${MAX_NAME_LENGTH} characters at most`

/** Returns whether a label may have this name: one that every system of metrics accepts. */
export function isLabelName(name: unknown): name is string {
  return typeof name === 'string' && name.length <= MAX_NAME_LENGTH && /^[a-zA-Z_][a-zA-Z0-9_]*$/.test(name)
}
