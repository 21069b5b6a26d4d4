/** A task that yields after each bounded piece of work. */
export type IncrementalTask<T> = Generator<void, T, void>
