const SHOWN_MS = 2000
/** The buttons that show what has become of a copy, each with the way back. */
const shown = new WeakMap()

/** Copies a text, and says on the button and to screen readers that it did. The button keeps the focus. */
export async function copyFrom(button, text) {
  const isCopied = await copy(button, text)
  const { label = button.textContent, timer, status = addStatus(button) } = shown.get(button) ?? {}
  clearTimeout(timer)
  button.textContent = isCopied ? 'Copied' : 'Not allowed'
  status.textContent = isCopied ? 'Copied.' : 'The browser does not allow copying.'
  const reset = () => {
    button.textContent = label
    status.remove()
    shown.delete(button)
  }
  shown.set(button, { label, status, timer: setTimeout(reset, SHOWN_MS) })
}

/** Beside the button, because nothing outside an open dialog is read aloud. */
function addStatus(button) {
  const status = document.createElement('span')
  status.className = 'visually-hidden'
  status.setAttribute('role', 'status')
  button.after(status)
  return status
}

/** @returns whether the browser allowed it */
async function copy(button, text) {
  try {
    await navigator.clipboard.writeText(text)
    return true
  } catch {
    return copyBySelection(button, text) // the clipboard's own API needs HTTPS or localhost
  }
}

function copyBySelection(button, text) {
  const focused = document.activeElement
  const area = document.createElement('textarea')
  area.value = text
  area.className = 'visually-hidden'
  button.after(area) // outside an open dialog it could not be selected
  area.select()
  const isCopied = document.execCommand('copy')
  area.remove()
  focused?.focus()
  return isCopied
}
