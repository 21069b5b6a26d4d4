import { copyFrom } from '../shared/copy.mjs'
import { dollars, fate, ms, usage } from '../shared/format-values.mjs'
import { StreamedMarkdown } from './markdown.mjs'

/** One turn on the page: the prompt, the answer, what went wrong, and figures and actions beneath. */
export class TurnView {
  #element = document.getElementById('turn').content.cloneNode(true).firstElementChild
  #turn
  #markdown
  #frame

  /** `actions` are called with the turn: `retry`, `showRecord`. */
  constructor(turn, { retry, showRecord }) {
    this.#turn = turn
    this.#find('.prompt').textContent = turn.prompt
    this.#find('.copy').addEventListener('click', ({ currentTarget }) => copyFrom(currentTarget, turn.answer))
    this.#find('.retry').addEventListener('click', () => retry(turn))
    this.#find('.details').addEventListener('click', () => showRecord(turn.record))
    this.begin()
    if (turn.state !== 'running') {
      this.append(turn.answer)
      this.finish()
    }
  }

  get element() {
    return this.#element
  }

  /** Shows an answer that has not begun yet. */
  begin() {
    this.#markdown = new StreamedMarkdown(this.#find('.answer'))
    this.#element.classList.add('running')
    this.#find('.problem').hidden = true
    this.#find('.foot').hidden = true
  }

  /** Sets whether it can be retried: one answer at a time is under way. */
  setRetry(isPossible) {
    this.#find('.retry').disabled = !isPossible
  }

  /** Shows whether the turn waits for streams of other tabs. */
  showWaiting(isWaiting) {
    const place = this.#find('.problem')
    place.hidden = !isWaiting
    place.textContent = isWaiting ? 'Waiting until a stream in another tab ends: a browser can only have a few.' : ''
    place.dataset.tone = 'warn'
  }

  /** Adds a piece of the answer, with the next frame. */
  append(piece) {
    this.#markdown.append(piece)
    this.#frame ??= requestAnimationFrame(() => {
      this.#frame = undefined
      this.#markdown.flush()
    })
  }

  /** Shows how the turn has ended, and its record if there is one. */
  finish() {
    cancelAnimationFrame(this.#frame)
    this.#frame = undefined
    this.#element.classList.remove('running')
    const { answer, state, problem } = this.#turn
    if (this.#find('.open')) this.#markdown.finish()
    this.#find('.problem').hidden = problem === undefined
    this.#find('.problem').textContent = problem ?? ''
    this.#find('.problem').dataset.tone = state === 'failed' ? 'bad' : 'warn'
    this.#find('.foot').hidden = false
    this.#find('.copy').hidden = answer === ''
    this.#find('.details').hidden = this.#turn.record === undefined
    this.#find('.figures').replaceChildren(...figures(this.#turn))
  }

  #find(selector) {
    return this.#element.querySelector(selector)
  }
}

/** The figures beneath an answer; what is not known is left out. */
function figures({ model, record }) {
  const shown = { model }
  if (record) {
    const { outcome, usage: used, firstTokenMs, durationMs, cost, costEstimated } = record
    if (outcome !== 'completed' && outcome !== 'client_disconnect') shown.outcome = fate(record)
    const tokens = used && usage(used)
    if (tokens) shown.usage = `${tokens} tokens`
    if (firstTokenMs !== undefined) shown.firstTokenMs = `first token ${ms(firstTokenMs)}`
    shown.durationMs = `${ms(durationMs)} in all`
    if (cost !== undefined) shown.cost = `${costEstimated ? '≈ ' : ''}${dollars(cost)}`
  }
  return Object.entries(shown).map(([field, text]) => {
    const element = document.createElement('li')
    element.dataset.field = field
    element.textContent = text
    return element
  })
}
