import { valueAt } from './fields.js'
import type { ChoiceState } from './message.js'

/** OpenAI accepts no `n` above 128 (https://platform.openai.com/docs/api-reference/chat/create#chat_create-n). */
export const MAX_CHOICES = 128

/**
 * Returns the choices that a message is about, if it shows that there are several.
 *
 * @param reasonOf returns why a choice ends, if it does
 */
export function severalChoices(
  choices: unknown,
  reasonOf: (choice: unknown) => string | undefined,
): readonly ChoiceState[] | undefined {
  if (!Array.isArray(choices) || (choices.length < 2 && !valueAt(choices, 0, 'index'))) return undefined
  return choices.map((choice: unknown) => {
    const index = valueAt(choice, 'index')
    return { index: typeof index === 'number' ? index : 0, isEnded: reasonOf(choice) !== undefined }
  })
}
