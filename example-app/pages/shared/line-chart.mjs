import uPlot from '../vendor/uPlot.mjs'

const HEIGHT = 200
const FONT = '12px system-ui, sans-serif'
/** The distances that the labels on the left may have. Values are written rounded, so that a label between would be wrong. */
const Y_STEPS = [1, 10, 100, 1000, 10_000, 100_000].flatMap((power) => [power, 2 * power, 5 * power])
/** How far the chart reaches above its highest line: texts on it have a row of their own there. */
const [HEADROOM, HEADROOM_FOR_TEXT] = [1.05, 1.16]

/**
 * A line chart with a legend, which shows the values under the pointer, or else the last ones. If there are several lines,
 * a button in the legend hides and shows each.
 *
 *   const chart = new LineChart(element, {
 *     label: 'Latency of /health',
 *     formatX: (seconds) => `${seconds} s`,
 *     formatY: (ms) => `${ms} ms`,
 *     series: [{ label: 'took', tone: 'accent', isFilled: true }],
 *   })
 *   chart.draw({ x: [0, 1, 2], y: [[5, 7, 6]], xRange: [0, 10], yMax: 10 })
 *
 * A tone is a colour variable of base.css without its dashes. `xLabel` names the x value in the legend. `marks` are
 * vertical lines with a text, `zone` is a shaded range of x with a text. `xSteps` are the distances that the labels below the
 * chart may have, `xSplits` is a function of uPlot's that returns where they are.
 */
export class LineChart {
  #place
  #options
  #plot
  #state = { x: [], y: [], xRange: [0, 1], yMax: 1, marks: [], zone: undefined }

  constructor(place, options) {
    this.#place = place
    this.#options = options
    place.classList.add('chart')
    place.setAttribute('role', 'figure')
    place.setAttribute('aria-label', options.label)
    place.replaceChildren()
    new ResizeObserver(() => this.#resize()).observe(place)
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.#plot?.redraw())
  }

  draw(state) {
    this.#state = { marks: [], zone: undefined, ...state }
    this.#summarise()
    if (this.#plot) this.#plot.setData(this.#data())
    else this.#resize()
  }

  #data() {
    const { x, y } = this.#state
    return [x, ...this.#options.series.map((_series, index) => y[index] ?? [])]
  }

  #resize() {
    const width = this.#place.clientWidth
    if (width === 0) return
    if (this.#plot) this.#plot.setSize({ width, height: HEIGHT })
    else this.#plot = new uPlot(this.#config(width), this.#data(), this.#place)
  }

  #config(width) {
    const { formatX, formatY, series, xLabel, xSplits, xSteps } = this.#options
    const axis = { stroke: () => colour('muted'), font: FONT, ticks: { show: false } }
    const grid = { stroke: () => colour('line'), width: 1 }
    const shown = (format, index) => (plot, value) => {
      const last = value ?? plot.data[index].at(-1)
      return last === undefined || last === null ? '–' : format(last)
    }
    return {
      width,
      height: HEIGHT,
      padding: [12, 12, 0, 0],
      scales: {
        x: { time: false, range: () => this.#state.xRange },
        y: { range: () => [0, this.#yTop] },
      },
      axes: [
        {
          ...axis,
          grid: { show: false },
          size: 28,
          space: 70,
          ...(xSteps && { incrs: xSteps }),
          splits: xSplits,
          values: (plot, all) => all.map((at) => (fits(plot, at, formatX(at)) ? formatX(at) : null)),
        },
        { ...axis, grid, size: 62, space: 36, incrs: Y_STEPS, values: (_plot, all) => all.map(formatY) },
      ],
      series: [
        { label: xLabel, value: shown(formatX, 0) },
        ...series.map(({ label, tone, isFilled, isDashed }, index) => ({
          label: series.length > 1 ? this.#toggle(label, tone, index + 1) : legendLabel('span', label, tone),
          stroke: () => colour(tone),
          fill: isFilled ? () => `color-mix(in srgb, ${colour(tone)} 14%, transparent)` : undefined,
          width: isDashed ? 1.5 : 2,
          dash: isDashed ? [4, 3] : undefined,
          points: { show: (plot) => plot.data[0].length === 1 }, // one value alone makes no line
          value: shown(formatY, index + 1),
        })),
      ],
      // The legend of uPlot listens to the mouse alone, and its markers keep the colours of the first colour scheme.
      cursor: { y: false, drag: { x: false, y: false }, bind: { click: () => null } },
      legend: { markers: { show: false } },
      hooks: { drawClear: [(plot) => this.#drawZone(plot)], draw: [(plot) => this.#drawMarks(plot)] },
    }
  }

  get #yTop() {
    const { yMax, marks, zone } = this.#state
    return yMax * (zone || marks.length > 0 ? HEADROOM_FOR_TEXT : HEADROOM)
  }

  #toggle(label, tone, index) {
    const button = legendLabel('button', label, tone)
    button.type = 'button'
    button.setAttribute('aria-label', `Show ${label}`)
    button.setAttribute('aria-pressed', 'true')
    button.addEventListener('click', () => {
      const show = !this.#plot.series[index].show
      this.#plot.setSeries(index, { show })
      button.setAttribute('aria-pressed', String(show))
    })
    return button
  }

  #drawZone({ ctx, bbox, valToPos }) {
    const { zone } = this.#state
    if (!zone) return
    const [left, right] = [valToPos(zone.from, 'x', true), valToPos(zone.to, 'x', true)]
    ctx.save()
    ctx.fillStyle = colour('raised')
    ctx.fillRect(left, bbox.top, right - left, bbox.height)
    this.#write(ctx, zone.text, (left + right) / 2, bbox.top + 14 * devicePixelRatio, 'center')
    ctx.restore()
  }

  #drawMarks({ ctx, bbox, valToPos }) {
    for (const { at, text } of this.#state.marks) {
      const x = valToPos(at, 'x', true)
      ctx.save()
      ctx.strokeStyle = colour('muted')
      ctx.lineWidth = devicePixelRatio
      ctx.setLineDash([3 * devicePixelRatio, 3 * devicePixelRatio])
      ctx.beginPath()
      ctx.moveTo(x, bbox.top)
      ctx.lineTo(x, bbox.top + bbox.height)
      ctx.stroke()
      this.#write(ctx, text, x + 6 * devicePixelRatio, bbox.top + 14 * devicePixelRatio, 'left')
      ctx.restore()
    }
  }

  #write(ctx, text, x, y, align) {
    ctx.font = `${12 * devicePixelRatio}px system-ui, sans-serif`
    ctx.fillStyle = colour('muted')
    ctx.textAlign = align
    ctx.fillText(text, x, y)
  }

  /** Says in words what the chart shows: a canvas tells assistive technology nothing. */
  #summarise() {
    const { label, formatY, series } = this.#options
    const lines = series.flatMap(({ label }, index) => {
      const values = (this.#state.y[index] ?? []).filter((value) => value !== null && value !== undefined)
      if (values.length === 0) return []
      return `${label}: now ${formatY(values.at(-1))}, at most ${formatY(values.reduce((a, b) => Math.max(a, b)))}.`
    })
    this.#place.setAttribute('aria-label', [`${label}.`, ...lines].join(' '))
  }
}

/** A round number at or above: 1, 2, 3, 5 or 8 times a power of ten. */
export function roundUp(value) {
  const power = 10 ** Math.floor(Math.log10(Math.max(value, 0.001)))
  return ([1, 2, 3, 5, 8, 10].find((step) => step * power >= value) ?? 10) * power
}

/** Whether a label fits below the chart: it must not reach beyond the right edge, nor below the labels on the left. */
function fits({ ctx, width, bbox, valToPos }, value, text) {
  ctx.save()
  ctx.font = FONT
  const half = ctx.measureText(text).width / 2
  ctx.restore()
  const left = bbox.left / devicePixelRatio
  const middle = left + valToPos(value, 'x')
  return !(middle - half < left - 10 || middle + half > width)
}

/** The label has its own marker, which follows the colour scheme. */
function legendLabel(name, text, tone) {
  const element = document.createElement(name)
  element.className = 'series'
  const marker = document.createElement('span')
  marker.className = 'marker'
  marker.style.setProperty('--tone', `var(--${tone})`)
  element.append(marker, text)
  return element
}

function colour(tone) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${tone}`).trim()
}
