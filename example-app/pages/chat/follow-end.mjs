/** Near enough to the end to count as being there, in pixels. */
const NEAR = 40

/**
 * Keeps what grows in sight, unless the reader has scrolled away: the end of the page, or the end of one element that has
 * others below it. `onChange` is called with whether it follows the end of the page. `floor` is the element that covers the
 * lower part of the screen.
 */
export class FollowEnd {
  #page = document.scrollingElement
  #floor
  #followed // 'page', an element, or undefined
  #element
  #onChange
  #keptAt // the scroll position that #keep chose

  constructor(content, { floor, onChange }) {
    this.#floor = floor
    this.#onChange = onChange
    this.#followed = 'page'
    addEventListener('scroll', () => this.#onScroll(), { passive: true })
    addEventListener('resize', () => this.#keep())
    const sizes = new ResizeObserver(() => this.#keep())
    sizes.observe(content)
    sizes.observe(floor)
  }

  /** Goes to the end of the page, and follows it from now on. */
  start() {
    this.#element = undefined
    this.#set('page')
    this.#keep()
  }

  /** Goes to an element, which may have others below it, and follows its end from now on. */
  startAt(element) {
    this.#element = element
    this.#set(element)
    if (element.getBoundingClientRect().top < 0) element.scrollIntoView()
    this.#keep()
  }

  /**
   * The event may come after the content has grown once more, so that the end is out of sight although nobody has scrolled
   * away from it.
   */
  #onScroll() {
    if (this.#followed && this.#page.scrollTop === this.#keptAt) return
    this.#set(this.#inSight)
  }

  /** Where the reader is. An element comes first: the end of a short page may be in sight as well. */
  get #inSight() {
    if (this.#element && Math.abs(this.#hiddenBelow) < innerHeight && this.#hiddenBelow < NEAR) return this.#element
    const { scrollHeight, scrollTop, clientHeight } = this.#page
    return scrollHeight - scrollTop - clientHeight < NEAR ? 'page' : undefined
  }

  /** How much of the followed element is below what can be seen, in pixels; negative if its end is higher. */
  get #hiddenBelow() {
    return this.#element.getBoundingClientRect().bottom - this.#floor.getBoundingClientRect().top
  }

  #keep() {
    if (this.#followed === 'page') this.#page.scrollTop = this.#page.scrollHeight
    else if (this.#followed && this.#hiddenBelow > 0) this.#page.scrollTop += this.#hiddenBelow
    if (this.#followed) this.#keptAt = this.#page.scrollTop
  }

  #set(followed) {
    if (this.#followed === followed) return
    this.#followed = followed
    this.#onChange(followed === 'page')
  }
}
