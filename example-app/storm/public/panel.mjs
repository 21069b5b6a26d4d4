import { lineChart } from '../dashboard/chart.mjs'

/** One side: what a proxy did in the storm. */
export class Panel {
  points = []
  #element
  #draw
  #kind

  constructor(contender) {
    this.#element = document.querySelector(`[data-contender="${contender}"]`)
  }

  begin(kind) {
    this.#kind = kind
    this.points = []
    this.#element.dataset.tone = ''
    this.#find('.headline').textContent = '–'
    this.#find('.tail').hidden = true
    const place = this.#find('.chart-place')
    place.hidden = kind.points === undefined
    place.replaceChildren()
    this.#draw = place.hidden ? undefined : lineChart(place, { unit: kind.unit, label: kind.title })
  }

  add(sample) {
    if (!this.#kind.points) return
    this.points.push(...this.#kind.points(sample))
    this.points.sort(([a], [b]) => a - b) // an answer may overtake another
  }

  /** Both sides are drawn to the same scale. */
  draw(top, seconds) {
    const series = [
      { tone: this.#element.dataset.contender === 'ours' ? 'accent' : 'other', points: this.points, filled: true },
    ]
    const values = this.points.map(([, y]) => y)
    const summary = values.length > 0 ? `At most ${Math.round(Math.max(...values))} ${this.#kind.unit}.` : ''
    const marks = this.#kind.marks?.(seconds) ?? []
    this.#draw?.({ x: [-1, seconds], y: top, series, summary, marks })
  }

  finish(result, streams) {
    this.#find('.headline').textContent = this.#kind.headline(result, streams)
    this.#element.dataset.tone = this.#kind.isGood(result, streams) ? 'good' : 'bad'
    if (!this.#kind.points) this.#showTail(result.crowd.tail)
  }

  /** The last events, with what matters marked: the error, or the half of an event. */
  #showTail(tail) {
    const place = this.#find('.tail')
    const last = tail.slice(0, -2).lastIndexOf('\n\n') + 2
    const mark = document.createElement('mark')
    mark.className = tail.endsWith('\n\n') ? 'whole' : 'half'
    mark.textContent = tail.slice(last).trimEnd()
    place.replaceChildren(`… ${tail.slice(0, last)}`, mark)
    place.hidden = false
  }

  #find(selector) {
    return this.#element.querySelector(selector)
  }
}
