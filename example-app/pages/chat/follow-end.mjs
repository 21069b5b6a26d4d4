/** Near enough to the end to count as being there, in pixels. */
const NEAR = 40

/**
 * Keeps the end of the page in sight while it grows, unless the reader has scrolled up. `onChange` is called with whether
 * it does.
 */
export class FollowEnd {
  #page = document.scrollingElement
  #isFollowing = true
  #onChange

  constructor(content, onChange) {
    this.#onChange = onChange
    addEventListener('scroll', () => this.#set(this.#isAtEnd), { passive: true })
    new ResizeObserver(() => {
      if (this.#isFollowing) this.#toEnd()
    }).observe(content)
  }

  /** Goes to the end, and follows it from now on. */
  start() {
    this.#set(true)
    this.#toEnd()
  }

  get #isAtEnd() {
    const { scrollHeight, scrollTop, clientHeight } = this.#page
    return scrollHeight - scrollTop - clientHeight < NEAR
  }

  #toEnd() {
    this.#page.scrollTop = this.#page.scrollHeight
  }

  #set(isFollowing) {
    if (this.#isFollowing === isFollowing) return
    this.#isFollowing = isFollowing
    this.#onChange(isFollowing)
  }
}
