import { load, save } from './tab-storage.mjs'

const $ = (id) => document.getElementById(id)

/** The field for the prompt. Its draft outlives a reload. */
export class Composer {
  #prompt = $('prompt')
  #isBusy = false

  /** `onSend` is called with a prompt, `onStop` without anything. */
  constructor({ onSend, onStop }) {
    this.#prompt.value ||= load('draft') ?? '' // what was written before this page was ready stays
    $('send').disabled = false
    this.#prompt.addEventListener('input', () => save('draft', this.#prompt.value))
    this.#prompt.addEventListener('keydown', (event) => {
      if (event.key !== 'Enter' || event.shiftKey || isComposing(event)) return
      event.preventDefault()
      $('composer').requestSubmit()
    })
    $('composer').addEventListener('submit', (event) => {
      event.preventDefault()
      const text = this.#prompt.value.trim()
      if (text === '' || this.#isBusy) return
      this.#prompt.value = ''
      save('draft', '')
      onSend(text)
    })
    $('stop').addEventListener('click', onStop)
    document.addEventListener('keydown', (event) => {
      if (event.key === 'Escape' && !isComposing(event) && !document.querySelector('dialog[open]')) onStop()
    })
  }

  /** On a phone, the keyboard would cover the page. */
  focus() {
    if (matchMedia('(hover: hover)').matches) this.#prompt.focus()
  }

  /** Says something to screen readers, which shows elsewhere on the page. */
  say(status) {
    $('status').textContent = status
  }

  /** An answer is under way: another prompt can be written, and sent afterwards. */
  setBusy(isBusy, status) {
    const wasOnButton = document.activeElement instanceof HTMLButtonElement
    this.#isBusy = isBusy
    $('send').hidden = isBusy
    $('stop').hidden = !isBusy
    this.say(status)
    if (wasOnButton) (isBusy ? $('stop') : $('send')).focus() // a hidden button would lose the focus
  }
}

/** The key belongs to an input method, as for Japanese. Safari says so by the code 229 alone when a composition ends. */
function isComposing({ isComposing, keyCode }) {
  return isComposing || keyCode === 229
}
