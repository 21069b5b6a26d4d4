import { type AnswerRules, googleRules } from './google.js'

const rules: readonly AnswerRules[] = [googleRules]

/** Returns the rules that apply to a request; `undefined` if there are none. */
export function answerRulesFor(origin: string, path: string): AnswerRules | undefined {
  return rules.find((each) => each.apply(origin, path))
}
