/**
 * Hands an answer to a live region in whole sentences: a screen reader cannot keep up with text that grows token by
 * token. The answer on the page is not live.
 */
export class Announcer {
  #region
  #rest = ''

  constructor(region) {
    this.#region = region
  }

  /** An answer begins. */
  begin() {
    this.#rest = ''
    this.#region.replaceChildren()
  }

  /** A piece has come. */
  add(piece) {
    this.#rest += piece
    const end = Math.max(...['. ', '! ', '? ', '.\n', '\n\n'].map((mark) => this.#rest.lastIndexOf(mark)))
    if (end === -1) return
    this.#say(this.#rest.slice(0, end + 1))
    this.#rest = this.#rest.slice(end + 1)
  }

  /** The answer has ended. */
  end() {
    this.#say(this.#rest)
    this.#rest = ''
  }

  #say(markdown) {
    const text = markdown
      .replace(/^\s*(?:```.*|#+ |[-*] |\|[-| :]+\|$)/gm, '')
      .replace(/[*`|]+/g, ' ')
      .trim()
    if (text === '') return
    const line = document.createElement('p')
    line.textContent = text
    this.#region.append(line)
  }
}
