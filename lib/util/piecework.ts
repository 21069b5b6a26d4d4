/** Work that stops after each bounded piece. */
export type Piecework<T> = Generator<void, T, void>
