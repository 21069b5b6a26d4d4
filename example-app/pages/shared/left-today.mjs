import { count, dollars } from './format-values.mjs'

/** How the limits of a user's day are shown. */
const kinds = {
  tokens: { label: 'Tokens left today', unit: ' tokens left', write: count },
  cost: { label: 'Money left today', unit: ' left', write: (amount) => dollars(Math.max(0, amount)) },
}

const UNKNOWN = 'What is left is not known at the moment.'

/**
 * Fills a list with what is left of a user's day. Items that stay keep their elements.
 *
 * @param left a list of `{ kind, allowed, left }`; nothing if it is not known at the moment
 */
export function showLeft(list, left) {
  const known = left ?? []
  const items = known.map(({ kind }) => list.querySelector(`[data-kind="${kind}"]`) ?? newItem(kind))
  if (items.length === 0) items.push(unknownItem())
  for (const [index, { kind, allowed, left: amount }] of known.entries()) {
    const { label, unit, write } = kinds[kind]
    const [meter, text] = items[index].children
    Object.assign(meter, { max: allowed, low: allowed / 5, optimum: allowed, value: amount })
    meter.setAttribute('aria-label', label)
    const [now, of] = [write(amount), ` of ${write(allowed)}`]
    if (text.textContent !== `${now}${of}${unit}`) text.replaceChildren(now, part('of', of), unit)
  }
  if ([...list.children].some((item, index) => item !== items[index]) || list.children.length !== items.length) {
    list.replaceChildren(...items)
  }
}

/** The same in words. */
export function leftInWords(left) {
  if (!left) return UNKNOWN
  const parts = left.map(({ kind, left: amount }) => `${kinds[kind].write(amount)}${kinds[kind].unit}`)
  return `Today: ${parts.join(', ')}.`
}

function newItem(kind) {
  const item = document.createElement('li')
  item.dataset.kind = kind
  item.append(document.createElement('meter'), part('', ''))
  return item
}

function unknownItem() {
  const item = document.createElement('li')
  item.textContent = UNKNOWN
  return item
}

function part(className, text) {
  const element = document.createElement('span')
  if (className) element.className = className
  element.textContent = text
  return element
}
