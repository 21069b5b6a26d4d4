import { LineChart } from '../shared/line-chart.mjs'

/** One side of the page: what a proxy did in the storm. */
export class Panel {
  #element
  #kind
  #views = [] // a chart and its points, for each of the kind's charts

  constructor(contender) {
    this.#element = document.querySelector(`[data-contender="${contender}"]`)
  }

  begin(kind) {
    this.#kind = kind
    this.#element.dataset.tone = ''
    this.#find('.headline').textContent = '–'
    this.#find('.tail').hidden = true
    this.#find('.charts').replaceChildren()
    this.#views = kind.charts.map((chart) => this.#makeView(chart))
  }

  #makeView({ title, series, format, points }) {
    const isOurs = this.#element.dataset.contender === 'ours'
    const place = document.createElement('div')
    if (title) {
      const heading = document.createElement('h4')
      heading.textContent = title
      this.#find('.charts').append(heading)
    }
    this.#find('.charts').append(place)
    const chart = new LineChart(place, {
      label: `${title ?? this.#kind.title}, through ${isOurs ? 'express-ai-proxy' : 'http-proxy-middleware'}`,
      xLabel: 'Time',
      formatX: (seconds) => `${+seconds.toFixed(2)} s`,
      formatY: format,
      // The second before the storm has a name instead of numbers.
      xSplits: (_plot, _axis, from, to, step) => splits(Math.max(0, from), to, step),
      series: series.map((one, index) => ({ tone: isOurs ? 'accent' : 'other', isFilled: index === 0, ...one })),
    })
    return { chart, points, rows: [] }
  }

  add(sample) {
    for (const view of this.#views) {
      view.rows.push(...view.points(sample))
      view.rows.sort(([a], [b]) => a - b) // an answer may overtake another
    }
  }

  /** The highest value of one of the charts. */
  highest(index) {
    return this.#views[index].rows.reduce((highest, [, ...values]) => Math.max(highest, ...values), 0)
  }

  /** Draws one of the charts. Both sides have the same scale. */
  draw(index, yMax, seconds) {
    const { chart, rows } = this.#views[index]
    chart.draw({
      x: rows.map(([x]) => x),
      y: this.#kind.charts[index].series.map((_series, column) => rows.map((row) => row[column + 1])),
      xRange: [-1, seconds],
      yMax,
      zone: { from: -1, to: 0, text: 'before' },
      marks: [{ at: 0, text: 'storm' }, ...(this.#kind.marks?.(seconds) ?? [])],
    })
  }

  finish(result, streams) {
    this.#find('.headline').textContent = this.#kind.headline(result, streams)
    this.#element.dataset.tone = this.#kind.isGood(result, streams) ? 'good' : 'bad'
    if (this.#kind.charts.length === 0) this.#showTail(result.clients.tail)
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
