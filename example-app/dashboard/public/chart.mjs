const SVG = 'http://www.w3.org/2000/svg'
const MARGIN = { top: 10, right: 12, bottom: 26, left: 60 }

/**
 * A line chart in SVG, drawn anew with each `draw`, in the size that the page gives it.
 *
 *   const draw = lineChart(element, { unit: 'ms', label: 'Latency of /health' })
 *   draw({ x: [0, 6], y: 500, series: [{ name: 'p99', tone: 'bad', points: [[0, 1], [1, 4]] }], marks: [] })
 */
export function lineChart(place, { unit, label, writeX = (x) => `${x} s` }) {
  const svg = add(place, 'svg', { role: 'img', 'aria-label': label, class: 'chart' })
  let last
  new ResizeObserver(() => last && draw(last)).observe(place)

  function draw(data) {
    last = data
    const width = place.clientWidth
    const height = place.clientHeight
    if (width === 0 || height === 0) return
    const [from, to] = data.x
    const top = niceTop(data.y)
    const xOf = (x) =>
      MARGIN.left + ((Math.min(x, to) - from) / (to - from || 1)) * (width - MARGIN.left - MARGIN.right)
    const yOf = (y) => height - MARGIN.bottom - (Math.min(y, top) / top) * (height - MARGIN.top - MARGIN.bottom)

    svg.replaceChildren()
    svg.setAttribute('viewBox', `0 0 ${width} ${height}`)
    for (const value of [0, top / 2, top]) {
      add(svg, 'line', { class: 'grid', x1: MARGIN.left, x2: width - MARGIN.right, y1: yOf(value), y2: yOf(value) })
      const text = value === top ? `${round(value)} ${unit}`.trim() : round(value)
      add(svg, 'text', { class: 'tick', x: MARGIN.left - 6, y: yOf(value) + 4, 'text-anchor': 'end' }, text)
    }
    for (const value of [from, (from + to) / 2, to]) {
      const anchor = value === from ? 'start' : value === to ? 'end' : 'middle'
      add(svg, 'text', { class: 'tick', x: xOf(value), y: height - 6, 'text-anchor': anchor }, writeX(value))
    }
    for (const { at, text } of data.marks ?? []) {
      add(svg, 'line', { class: 'mark', x1: xOf(at), x2: xOf(at), y1: MARGIN.top, y2: height - MARGIN.bottom })
      add(svg, 'text', { class: 'tick', x: xOf(at) + 5, y: MARGIN.top + 10 }, text)
    }
    for (const { tone, points, filled } of data.series) {
      if (points.length === 0) continue
      const line = points.map(([x, y]) => `${xOf(x).toFixed(1)},${yOf(y).toFixed(1)}`).join(' ')
      if (filled) {
        const ends = `${xOf(points.at(-1)[0])},${yOf(0)} ${xOf(points[0][0])},${yOf(0)}`
        add(svg, 'polygon', { class: 'area', 'data-tone': tone, points: `${line} ${ends}` })
      }
      add(svg, 'polyline', { class: 'line', 'data-tone': tone, points: line })
    }
    svg.setAttribute('aria-label', `${label}. ${data.summary ?? ''}`)
  }
  return draw
}

function add(parent, name, attributes, text) {
  const element = document.createElementNS(SVG, name)
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value)
  if (text !== undefined) element.textContent = text
  parent.append(element)
  return element
}

/** The round number at or above: 1, 2 or 5 times a power of ten. */
function niceTop(value) {
  const power = 10 ** Math.floor(Math.log10(Math.max(value, 0.001)))
  return ([1, 2, 5, 10].find((step) => step * power >= value) ?? 10) * power
}

const round = (value) => String(+value.toPrecision(3))
