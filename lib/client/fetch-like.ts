/** Any function like `fetch`: browsers, Node, Bun and others each have a type of their own. */
export type FetchLike = (...args: never[]) => Promise<unknown>
