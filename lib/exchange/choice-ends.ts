import { type ChoiceState, MAX_CHOICES, type ParsedMessage } from '../formats/index.js'
import { append } from '../util/append.js'

/** Which choices of an answer have begun, which have ended, and whether content came after an end. */
export class ChoiceEnds {
  /** Whether each choice that has begun has ended, by index. */
  #hasEnded: boolean[] = []
  /** The choices whose ends have been read, in the order of the messages, if any have. */
  #readEnds: Set<number> | undefined
  #hasContentAfterEnd = false

  /** Number of choices that have begun, as far as messages have shown. */
  get count(): number {
    return this.#hasEnded.length
  }

  /** Whether all choices that have begun have ended. */
  get haveEnded(): boolean {
    return !this.#hasEnded.includes(false)
  }

  /** Whether content has been read after the end of each choice that it belongs to. */
  get hasContentAfterEnd(): boolean {
    return this.#hasContentAfterEnd
  }

  /** Returns whether as many choices have begun as were asked for. */
  haveBegun(asked: number): boolean {
    return Math.max(1, this.count) >= Math.min(asked, MAX_CHOICES)
  }

  /** The last messages follow once more, in order: some of them have been read before. */
  rewind(): void {
    this.#readEnds = undefined
  }

  /**
   * Adds a message.
   *
   * @param choices the choices that it is about; `undefined` if it does not show that there are several
   * @param isGenerated whether it has something that the model has generated
   * @returns whether it is the first to show that there are several choices
   */
  advance(
    choices: readonly ChoiceState[] | undefined,
    { text, finishReason }: ParsedMessage,
    isGenerated: boolean,
  ): boolean {
    // The first choice, which seemed to be the only one, may have ended unnoticed; if it has not, it occurs again.
    const isFirstOfSeveral = choices?.some(({ index }) => index > 0) === true && this.count < 2
    if (isFirstOfSeveral) this.#hasEnded.length = 0
    const states = choices ?? [{ index: 0, isEnded: Boolean(finishReason) }]
    this.#trackOrder(states, isGenerated)
    if (choices || text || finishReason) {
      for (const { index, isEnded } of states) this.#advanceChoice(index, isEnded)
    }
    return isFirstOfSeveral
  }

  #trackOrder(choices: readonly ChoiceState[], isGenerated: boolean): void {
    const readEnds = this.#readEnds
    if (isGenerated && readEnds && choices.length > 0 && choices.every(({ index }) => readEnds.has(index))) {
      this.#hasContentAfterEnd = true
    }
    for (const { index, isEnded } of choices) {
      if (isEnded) this.#readEnds = (this.#readEnds ?? new Set()).add(index)
    }
  }

  #advanceChoice(index: number, isEnded: boolean): void {
    if (index < 0 || index >= MAX_CHOICES) return
    const hasEnded = isEnded || this.#hasEnded[index] === true
    if (index === this.count) this.#hasEnded = append(this.#hasEnded, hasEnded)
    else this.#hasEnded[index] = hasEnded
  }
}
