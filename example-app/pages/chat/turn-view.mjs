import { copyFrom } from '../shared/copy.mjs'
import { dollars, fate, ms, usage } from '../shared/format-values.mjs'
import { StreamedMarkdown } from './markdown.mjs'
import { passageInWords } from './passage.mjs'

/** One turn on the page: the prompt, the answer, what went wrong, and figures and actions beneath. */
export class TurnView {
  #element = document.getElementById('turn').content.cloneNode(true).firstElementChild
  #turn
  #markdown
  #frame

  /** `actions` are called when their button is pressed: `retry`, `showRecord`, `openElsewhere`. */
  constructor(turn, { retry, showRecord, openElsewhere }) {
    this.#turn = turn
    this.#find('.prompt').textContent = turn.prompt
    this.#find('.copy').addEventListener('click', ({ currentTarget }) => copyFrom(currentTarget, turn.answer))
    this.#find('.retry').addEventListener('click', () => retry(turn))
    this.#find('.details').addEventListener('click', () => showRecord(turn.record))
    this.#find('.elsewhere').addEventListener('click', openElsewhere)
    this.begin()
    this.append(turn.answer)
    if (turn.state !== 'running') this.finish()
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
    this.#find('.elsewhere').hidden = true
    this.showPassage()
  }

  /** Sets whether it can be retried: one answer at a time is under way. */
  setRetry(isPossible) {
    this.#find('.retry').disabled = !isPossible
  }

  /** Shows what the running turn waits for; nothing if it does not. */
  showWaiting(reason) {
    const place = this.#find('.problem')
    place.hidden = reason === undefined
    place.textContent = reason ?? ''
    place.dataset.tone = 'warn'
  }

  /** The answer has begun: shows where it comes from, and that another tab can show it as well. */
  showStream() {
    this.#find('.elsewhere').hidden = this.#turn.stream === undefined
    this.showPassage()
  }

  /** Shows notes on how the answer came. */
  showPassage() {
    const said = passageInWords(this.#turn.passage)
    this.#find('.passage').hidden = said.length === 0
    this.#find('.passage').textContent = said.join(' ')
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
    this.#find('.elsewhere').hidden = true
    this.showPassage()
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
function figures({ model, record, state }) {
  const shown = { model }
  if (record) {
    const { outcome, usage: used, firstTokenMs, durationMs, cost, costEstimated } = record
    const isExpected = outcome === 'completed' || outcome === 'client_disconnect' || state === 'stopped'
    if (!isExpected) shown.outcome = fate(record)
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
