/** The longest time that a timer of Node takes, in milliseconds: a longer one fires at once. */
export const MAX_TIMER_MS = 2 ** 31 - 1
