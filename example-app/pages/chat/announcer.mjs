const ends = ['. ', '! ', '? ', '.\n', '\n\n']

/**
 * Hands an answer to a live region in whole sentences: a screen reader cannot keep up with text that grows token by
 * token. The answer on the page is not live.
 */
export class Announcer {
  #region
  #rest = [] // pieces
  #last = '' // the last character

  constructor(region) {
    this.#region = region
  }

  /** An answer begins. */
  begin() {
    this.#rest = []
    this.#last = ''
    this.#region.replaceChildren()
  }

  /** A piece has come. */
  add(piece) {
    // An end may be split between two pieces. What came before has none: to look there again would cost O(n²).
    const unread = this.#last + piece
    const end = Math.max(...ends.map((mark) => unread.lastIndexOf(mark)))
    this.#last = unread.slice(-1)
    this.#rest.push(piece)
    if (end === -1) return
    const text = this.#rest.join('')
    const saidUntil = text.length - unread.length + end + 1
    this.#say(text.slice(0, saidUntil))
    this.#rest = [text.slice(saidUntil)]
  }

  /** The answer has ended. */
  end() {
    this.#say(this.#rest.join(''))
    this.#rest = []
  }

  #say(markdown) {
    const text = markdown
      .replace(/^[ \t]*(?:```.*|#+ |[-*] |\|[-| :]+\|$)/gm, '')
      .replace(/[*`|]+/g, ' ')
      .trim()
    if (text === '') return
    const line = document.createElement('p')
    line.textContent = text
    this.#region.append(line)
  }
}
