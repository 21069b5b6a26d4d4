/** Work that stops after each bounded piece. */
export type IncrementalTask<T> = Generator<void, T, void>
