import { copyFrom } from './copy.mjs'
import { bytes, dollars, fate, ms, toneOf, words } from './format-values.mjs'

const yesOrNo = (value) => (value ? 'yes' : 'no')
const attemptsInWords = (attempts) => attempts.map(attemptInWords).join(', then ')

/** How the fields of a record are shown. Those that are not named here are shown as they are. */
const groups = [
  [
    'Outcome',
    {
      outcome: ['Outcome', words],
      code: ['Code', words],
      error: ['Reason'],
      limit: ['Limit'],
      status: ['Status to the client'],
      providerStatus: ['Status of the provider'],
      finishReason: ['Finish reason'],
      attempts: ['Attempts', attemptsInWords],
      cache: ['Cache'],
    },
  ],
  [
    'Request',
    {
      client: ['Client'],
      subject: ['User'],
      tenant: ['Team'],
      provider: ['Provider'],
      model: ['Model'],
      responseModel: ['Model that answered'],
      format: ['Protocol'],
      method: ['Method'],
      path: ['Path'],
      stream: ['Stream', yesOrNo],
      asksProvider: ['Asks the provider', yesOrNo],
      phase: ['Phase'],
      id: ['Exchange id'],
      responseId: ['Response id'],
    },
  ],
  [
    'Time',
    {
      startedAt: ['Start', (at) => new Date(at).toLocaleString('en-GB')],
      age: ['Age', ms],
      durationMs: ['Duration', ms],
      firstByteMs: ['First byte', ms],
      firstTokenMs: ['First token', ms],
      outputTokensPerSecond: ['Speed', (value) => `${value.toFixed(1)} tokens/s`],
      turns: ['Turns on the event loop'],
      busyMs: ['All turns', ms],
      maxTurnMs: ['Longest turn', ms],
    },
  ],
  [
    'Tokens',
    {
      cost: ['Cost', dollars],
      costEstimated: ['Cost is an estimate', yesOrNo],
      outputTokens: ['Output so far'],
      'usage.estimated': ['Estimated in part', yesOrNo],
      'usage.inputTokens': ['Input'],
      'usage.outputTokens': ['Output'],
      'usage.totalTokens': ['Total'],
      'usage.cachedInputTokens': ['Cached input'],
      'usage.cacheWriteTokens': ['Written to the cache'],
      'usage.reasoningTokens': ['Reasoning'],
    },
  ],
  [
    'Traffic',
    {
      requestBytes: ['Request', bytes],
      upstreamBytes: ['From the provider', bytes],
      downstreamBytes: ['To the client', bytes],
      bytes: ['Sent so far', bytes],
      events: ['Events'],
    },
  ],
]
const known = new Set(groups.flatMap(([, fields]) => Object.keys(fields)))

/** A dialog that shows an exchange with all fields of its record. */
export class RecordDialog {
  #dialog = element('dialog', 'record-dialog')
  #title = element('h2')
  #badge = element('p', 'badge')
  #close = button('close', 'Close', () => this.#dialog.close())
  #body = element('div', 'body')
  #sections = element('div')
  #details = element('details')
  #copy = button('copy-json', 'Copy JSON', () => copyFrom(this.#copy, this.#json.textContent))
  #json = element('pre')
  #record

  /** `onClose` is called when it has been closed. */
  constructor({ onClose = () => {} } = {}) {
    this.#title.id = 'record-title'
    this.#dialog.setAttribute('aria-labelledby', 'record-title')
    const head = element('div', 'head')
    head.append(this.#title, this.#badge, this.#close)
    this.#body.tabIndex = 0
    this.#body.setAttribute('role', 'group')
    this.#body.setAttribute('aria-label', 'Record')
    this.#json.tabIndex = 0
    this.#details.append(element('summary', '', 'The record as JSON'), this.#copy, this.#json)
    this.#body.append(this.#sections, this.#details)
    this.#dialog.append(head, this.#body)
    this.#dialog.addEventListener('click', ({ target }) => target === this.#dialog && this.close()) // the backdrop
    this.#dialog.addEventListener('close', onClose)
    document.body.append(this.#dialog)
  }

  /** The id of the exchange that is shown. */
  get shownId() {
    return this.#dialog.open ? this.#record.id : undefined
  }

  show(record) {
    this.update(record)
    this.#details.open = false
    if (!this.#dialog.open) this.#dialog.showModal()
    this.#body.scrollTop = 0
    this.#close.focus()
  }

  close() {
    this.#dialog.close()
  }

  /**
   * Shows what has become of the exchange meanwhile. Only what differs is written, so that the focus, a selection and the place
   * of a screen reader stay.
   */
  update(record) {
    this.#record = record
    write(this.#title, record.model ?? 'Exchange')
    write(this.#badge, record.outcome ? fate(record) : record.phase)
    this.#badge.dataset.tone = toneOf(record)
    write(this.#json, JSON.stringify(record, null, 2))

    const places = new Map(valuePlaces(this.#sections))
    const made = sections(record)
    const values = valuePlaces(...made)
    const isSame = values.length === places.size && values.every(([name]) => places.has(name))
    if (!isSame) this.#sections.replaceChildren(...made)
    else for (const [name, { textContent }] of values) write(places.get(name), textContent)
  }
}

/** The names of the fields in some elements, each with the element of its value. */
function valuePlaces(...elements) {
  return elements.flatMap((one) =>
    [...one.querySelectorAll('[data-field]')].map((pair) => [pair.dataset.field, pair.querySelector('dd')]),
  )
}

function sections(record) {
  const values = Object.fromEntries(flatten(record))
  const rest = Object.keys(values).filter((name) => !known.has(name))
  const all = [...groups, ['More', Object.fromEntries(rest.map((name) => [name, [name]]))]]
  return all.flatMap(([title, fields]) => {
    const rows = Object.entries(fields).filter(([name]) => values[name] !== undefined && values[name] !== null)
    if (rows.length === 0) return []
    const list = element('dl')
    for (const [name, [label, format = String]] of rows) {
      const pair = element('div')
      pair.dataset.field = name
      pair.append(element('dt', '', label), element('dd', '', format(values[name])))
      list.append(pair)
    }
    return [element('h3', '', title), list]
  })
}

/** The fields of a record; those of an inner object have its name in front. Empty lists are left out. */
function flatten(object, prefix = '') {
  return Object.entries(object).flatMap(([name, value]) => {
    if (Array.isArray(value)) return value.length > 0 ? [[prefix + name, value]] : []
    return typeof value === 'object' && value !== null ? flatten(value, `${prefix}${name}.`) : [[prefix + name, value]]
  })
}

function attemptInWords({ target, code, status, ms: tookMs }) {
  return `${target}: ${code ? words(code) : (status ?? 'no answer')} after ${ms(tookMs)}`
}

function button(className, text, onClick) {
  const made = element('button', className, text)
  made.type = 'button'
  made.addEventListener('click', onClick)
  return made
}

function write(place, text) {
  if (place.textContent !== text) place.textContent = text
}

function element(name, className = '', text = undefined) {
  const made = document.createElement(name)
  if (className) made.className = className
  if (text !== undefined) made.textContent = text
  return made
}
