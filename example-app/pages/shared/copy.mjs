const SHOWN_MS = 2000

/** Copies a text, and shows on the button that it did. */
export async function copyFrom(button, text) {
  const label = button.textContent
  button.disabled = true
  button.textContent = (await copy(text)) ? 'Copied' : 'Not allowed'
  setTimeout(() => {
    button.textContent = label
    button.disabled = false
  }, SHOWN_MS)
}

/** @returns whether the browser allowed it */
async function copy(text) {
  try {
    await navigator.clipboard.writeText(text)
    return true
  } catch {
    return copyBySelection(text) // the clipboard's own API needs HTTPS or localhost
  }
}

function copyBySelection(text) {
  const focused = document.activeElement
  const area = document.createElement('textarea')
  area.value = text
  area.className = 'visually-hidden'
  document.body.append(area)
  area.select()
  const isCopied = document.execCommand('copy')
  area.remove()
  focused?.focus()
  return isCopied
}
