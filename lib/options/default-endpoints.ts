import { builtInFormats, otherEndpoints } from '../formats/index.js'

/** The endpoints that take forms with files, which are neither parsed nor changed on their way. */
export const uploadEndpoints: readonly string[] = builtInFormats.flatMap((format) => format.uploadEndpoints)

/**
 * The endpoints that can be reached by default: those that generate, count tokens, embed, rank or classify, list models, or
 * read what is known by an id that nobody can guess. What a format claims is among them. `*` stands for a part of one path
 * segment; `**` in front for any base path.
 */
export const defaultEndpoints: readonly string[] = [
  ...builtInFormats.flatMap((format) => format.endpoints),
  ...uploadEndpoints,
  ...otherEndpoints,
]
