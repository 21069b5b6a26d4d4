/**
 * Text that grows token by token is torture in a screen reader. This hands it to a live region in whole sentences; the
 * answer that is seen is not live.
 */
export class Spoken {
  #region
  #rest = ''

  constructor(region) {
    this.#region = region
  }

  begin() {
    this.#rest = ''
    this.#region.replaceChildren()
  }

  add(piece) {
    this.#rest += piece
    const end = Math.max(...['. ', '! ', '? ', '.\n', '\n\n'].map((mark) => this.#rest.lastIndexOf(mark)))
    if (end === -1) return
    this.#say(this.#rest.slice(0, end + 1))
    this.#rest = this.#rest.slice(end + 1)
  }

  end() {
    this.#say(this.#rest)
    this.#rest = ''
  }

  #say(text) {
    if (text.trim() === '') return
    const line = document.createElement('p')
    line.textContent = text.trim()
    this.#region.append(line)
  }
}
