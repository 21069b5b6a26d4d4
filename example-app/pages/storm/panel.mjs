import { LineChart } from '../shared/line-chart.mjs'

/** One side of the page: what a proxy did in the storm. */
export class Panel {
  points = []
  #element
  #chart
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
    this.#find('.chart-place').replaceWith(this.#makePlace())
  }

  #makePlace() {
    const place = document.createElement('div')
    place.className = 'chart-place'
    const { title, series, format, points } = this.#kind
    place.hidden = points === undefined
    this.#chart = undefined
    if (points) {
      const { contender } = this.#element.dataset
      this.#chart = new LineChart(place, {
        label: `${title}, through ${contender === 'ours' ? 'express-ai-proxy' : 'http-proxy-middleware'}`,
        xLabel: 'Time',
        formatX: (seconds) => `${+seconds.toFixed(2)} s`,
        formatY: format,
        // The second before the storm has a name instead of numbers.
        xSplits: (_plot, _axis, from, to, step) => splits(Math.max(0, from), to, step),
        series: [{ label: series, tone: contender === 'ours' ? 'accent' : 'other', isFilled: true }],
      })
    }
    return place
  }

  add(sample) {
    if (!this.#kind.points) return
    this.points.push(...this.#kind.points(sample))
    this.points.sort(([a], [b]) => a - b) // an answer may overtake another
  }

  /** Draws the curve. Both sides have the same scale. */
  draw(yMax, seconds) {
    this.#chart?.draw({
      x: this.points.map(([x]) => x),
      y: [this.points.map(([, y]) => y)],
      xRange: [-1, seconds],
      yMax,
      zone: { from: -1, to: 0, text: 'before' },
      marks: [{ at: 0, text: 'storm' }, ...(this.#kind.marks?.(seconds) ?? [])],
    })
  }

  finish(result, streams) {
    this.#find('.headline').textContent = this.#kind.headline(result, streams)
    this.#element.dataset.tone = this.#kind.isGood(result, streams) ? 'good' : 'bad'
    if (!this.#kind.points) this.#showTail(result.clients.tail)
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

function splits(from, to, step) {
  return Array.from({ length: Math.floor((to - from) / step) + 1 }, (_, index) => from + index * step)
}
