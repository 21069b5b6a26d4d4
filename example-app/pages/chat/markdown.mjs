import { Marked } from '../vendor/marked.mjs'
import DOMPurify from '../vendor/purify.mjs'

const marked = new Marked({
  gfm: true,
  renderer: {
    // HTML of a model is text: it is shown, never interpreted.
    html: ({ text }) => escapeHtml(text),
    // A picture would be a request to any host, with anything in its address. Show a link.
    image: ({ href, text }) => `<a href="${escapeHtml(href)}">${escapeHtml(text || href)}</a>`,
    // The page has levels 1 and 2, and a model may begin with any.
    heading({ tokens, depth }) {
      return `<h3 class="level-${depth}">${this.parser.parseInline(tokens)}</h3>`
    },
    checkbox: ({ checked }) => (checked ? '☑ ' : '☐ '),
    code: ({ text, lang }) =>
      `<figure class="code"><figcaption>${languageLabel(lang)}</figcaption><pre><code>${escapeHtml(text)}\n</code></pre></figure>`,
  },
})

const allowed = {
  RETURN_DOM_FRAGMENT: true,
  ALLOWED_TAGS: [
    ...['a', 'blockquote', 'br', 'code', 'del', 'em', 'figcaption', 'figure', 'h3', 'hr', 'li', 'ol', 'p', 'pre'],
    ...['span', 'strong', 'table', 'tbody', 'td', 'th', 'thead', 'tr', 'ul'],
  ],
  ALLOWED_ATTR: ['align', 'class', 'href', 'start', 'title'],
  ADD_URI_SAFE_ATTR: ['align', 'start'], // their values are no addresses, to which the expression below applies
  ALLOW_DATA_ATTR: false,
  ALLOW_ARIA_ATTR: false,
  ALLOWED_URI_REGEXP: /^(?:https?|mailto):/i,
}

/** Below this length the open block is rendered with every frame. */
const SMALL = 2048
/** Above it, the open block is rendered again when it has grown by this share. */
const GROWTH = 1 / 16

/**
 * Renders Markdown that arrives in pieces.
 *
 * To render the whole text for each piece costs O(n²). So a block is final once another begins after it, and only the
 * open one at the end is rendered again. That one may be long, too (a code block, a table): it is rendered again when it
 * has grown by a share, and shows new text as it is meanwhile. All in all each character is parsed a bounded number of
 * times.
 */
export class StreamedMarkdown {
  /** Characters that were parsed so far: what rendering costs. */
  parsed = 0
  #place
  #open = document.createElement('div')
  #source = ''
  #tail = ''
  #renderedLength = 0
  #unshown = ''

  constructor(place) {
    this.#place = place
    this.#open.className = 'open'
    place.replaceChildren(this.#open)
  }

  /** Adds a piece. It is shown by the next `flush()`. */
  append(text) {
    this.#source += text
    this.#tail += text
    this.#unshown += text
  }

  /** Shows what was added; call it once a frame. */
  flush() {
    if (this.#unshown === '') return
    const grown = this.#tail.length - this.#renderedLength
    if (this.#tail.length > SMALL && grown < this.#tail.length * GROWTH) {
      lastPlaceIn(this.#open).append(this.#unshown)
    } else {
      this.#render()
    }
    this.#unshown = ''
  }

  /** The text is complete. */
  finish() {
    this.#unshown = ''
    // A link may be defined at the end, for all blocks before.
    if (/^ {0,3}\[[^\]]+\]:/m.test(this.#source)) {
      this.#place.replaceChildren(this.#open)
      this.#tail = this.#source
    }
    const nodes = this.#parse(marked.lexer(this.#tail), this.#tail.length)
    this.#open.replaceWith(nodes)
    this.#tail = ''
  }

  #render() {
    const tokens = marked.lexer(this.#tail)
    const firstOpen = firstOpenToken(tokens, this.#tail)
    const closed = tokens.slice(0, firstOpen)
    const closedLength = closed.reduce((sum, { raw }) => sum + raw.length, 0)
    if (closedLength > 0) this.#open.before(this.#parse(closed, 0))
    const links = tokens.links
    const open = Object.assign(tokens.slice(firstOpen), { links })
    this.#open.replaceChildren(this.#parse(open, this.#tail.length))
    this.#tail = this.#tail.slice(closedLength)
    this.#renderedLength = this.#tail.length
  }

  #parse(tokens, cost) {
    this.parsed += cost
    const fragment = DOMPurify.sanitize(marked.parser(tokens), allowed)
    for (const block of fragment.children) {
      if (block.localName !== 'figure') block.dir = 'auto' // Arabic, Hebrew and others run from right to left
    }
    for (const link of fragment.querySelectorAll('a')) {
      // What leads nowhere, because its address is not allowed, is text.
      if (link.hasAttribute('href')) Object.assign(link, { target: '_blank', rel: 'noopener noreferrer' })
      else link.replaceWith(...link.childNodes)
    }
    for (const table of fragment.querySelectorAll('table')) wrap(table)
    for (const code of fragment.querySelectorAll('figure.code')) addCopyButton(code)
    return fragment
  }
}

/**
 * Where the open block begins: the last one. If it is no more than an unfinished line, the one before counts as open as
 * well, because the line may still turn out to go on with it (`2` and then `. ` after a numbered list).
 */
function firstOpenToken(tokens, text) {
  const lineStart = text.lastIndexOf('\n') + 1
  let start = text.length
  for (let index = tokens.length - 1; index >= 0; index--) {
    start -= tokens[index].raw.length
    if (tokens[index].type !== 'space' && start < lineStart) return index
  }
  return 0
}

/** The innermost last element: new text continues there. */
function lastPlaceIn(element) {
  let place = element
  while (place.lastElementChild) place = place.lastElementChild
  return place
}

/** Wide tables scroll by themselves, also by the keyboard. */
function wrap(table) {
  const frame = document.createElement('div')
  frame.className = 'table'
  frame.tabIndex = 0
  frame.setAttribute('role', 'group')
  frame.setAttribute('aria-label', 'Table')
  table.replaceWith(frame)
  frame.append(table)
}

function languageLabel(lang = '') {
  const [name] = lang.split(/\s/)
  return name ? `<span class="language">${escapeHtml(name)}</span>` : ''
}

function addCopyButton(figure) {
  const button = document.createElement('button')
  button.type = 'button'
  button.className = 'quiet copy-code'
  button.textContent = 'Copy'
  figure.querySelector('figcaption').append(button)
  figure.querySelector('pre').tabIndex = 0
}

function escapeHtml(text) {
  return text.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`)
}
