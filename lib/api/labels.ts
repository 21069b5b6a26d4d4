/** Labels of an exchange: strings by names. A name whose value is `undefined` is left out. */
export type Labels = Readonly<Record<string, string | undefined>>
