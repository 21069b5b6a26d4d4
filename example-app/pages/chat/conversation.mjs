/**
 * The conversation of this tab: a list of turns. Each has the prompt, what came as the answer, and how it ended.
 *
 *   { prompt, answer, model, provider, state: 'running' | 'complete' | 'stopped' | 'failed',
 *     problem, requestId, record, stream, passage }
 *
 * `stream` says where a running answer can be continued: see stream-answer.mjs. `passage` says how the answer came, as far as
 * that is worth a note: see passage.mjs.
 */
export class Conversation {
  #turns = []

  get turns() {
    return this.#turns
  }

  /** Adds a turn for a prompt. */
  ask(prompt) {
    const turn = { prompt }
    this.restart(turn)
    this.#turns.push(turn)
    return turn
  }

  /** Takes the answer of a turn back. */
  restart(turn) {
    const none = { problem: undefined, record: undefined, stream: undefined, passage: undefined }
    Object.assign(turn, { answer: '', state: 'running', ...none })
  }

  /**
   * What to send for a turn: all messages before it, and its prompt. A turn without an answer is left out, because
   * providers want user and assistant to alternate.
   */
  messagesFor(turn) {
    const before = this.#turns.slice(0, this.#turns.indexOf(turn))
    return [
      ...before
        .filter(({ answer }) => answer.trim() !== '')
        .flatMap(({ prompt, answer }) => [
          { role: 'user', text: prompt },
          { role: 'assistant', text: answer },
        ]),
      { role: 'user', text: turn.prompt },
    ]
  }

  clear() {
    this.#turns = []
  }

  toJSON() {
    return this.#turns
  }

  /** Takes over turns as they were saved. One that was running then can be continued if its stream had begun. */
  restore(turns) {
    this.#turns = turns.map((turn) =>
      turn.state === 'running' && !turn.stream
        ? { ...turn, state: 'failed', problem: 'The page was closed or reloaded before the answer began.' }
        : turn,
    )
  }

  /** The turn whose answer is under way, if there is one. */
  get running() {
    return this.#turns.find(({ state }) => state === 'running')
  }
}
