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
  #dialog
  #record

  constructor() {
    this.#dialog = element('dialog', 'record-dialog')
    this.#dialog.setAttribute('aria-labelledby', 'record-title')
    this.#dialog.addEventListener('click', ({ target }) => target === this.#dialog && this.#dialog.close()) // the backdrop
    document.body.append(this.#dialog)
  }

  /** The id of the exchange that is shown. */
  get shownId() {
    return this.#dialog.open ? this.#record.id : undefined
  }

  show(record) {
    this.#fill(record)
    this.#dialog.showModal()
    this.#dialog.querySelector('.close').focus()
  }

  /** Shows what has become of the exchange meanwhile. */
  update(record) {
    const hadFocus = document.activeElement?.className
    const { scrollTop } = this.#dialog.querySelector('.body')
    const { open } = this.#dialog.querySelector('details')
    this.#fill(record)
    this.#dialog.querySelector('details').open = open
    this.#dialog.querySelector('.body').scrollTop = scrollTop
    if (hadFocus) this.#dialog.querySelector(`[class="${hadFocus}"]`)?.focus()
  }

  #fill(record) {
    this.#record = record
    const title = element('h2', '', record.model ?? 'Exchange')
    title.id = 'record-title'
    const badge = element('p', 'badge', record.outcome ? fate(record) : record.phase)
    badge.dataset.tone = record.outcome ? toneOf(record) : 'busy'
    const close = element('button', 'close', 'Close')
    close.type = 'button'
    close.addEventListener('click', () => this.#dialog.close())
    const head = element('div', 'head')
    head.append(title, badge, close)

    const body = element('div', 'body')
    body.tabIndex = 0
    body.setAttribute('role', 'group')
    body.setAttribute('aria-label', 'Record')
    body.append(...sections(record), json(record))
    this.#dialog.replaceChildren(head, body)
  }
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

function json(record) {
  const text = JSON.stringify(record, null, 2)
  const details = element('details')
  const copy = element('button', 'copy-json', 'Copy JSON')
  copy.type = 'button'
  copy.addEventListener('click', () => copyFrom(copy, text))
  const pre = element('pre', '', text)
  pre.tabIndex = 0
  details.append(element('summary', '', 'The record as JSON'), copy, pre)
  return details
}

function element(name, className = '', text = undefined) {
  const made = document.createElement(name)
  if (className) made.className = className
  if (text !== undefined) made.textContent = text
  return made
}
