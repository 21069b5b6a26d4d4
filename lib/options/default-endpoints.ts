import { builtInFormats, otherEndpoints } from '../formats/index.js'

/** Endpoints that accept forms with files, which are forwarded without parsing or changes. */
export const uploadEndpoints: readonly string[] = builtInFormats.flatMap((format) => format.uploadEndpoints)

/**
 * Endpoints that are open by default: those that generate, count tokens, embed, rank or classify, list models, or read
 * something by an id that nobody can guess. They include those of all formats. `*` matches a part of one path segment;
 * a leading `**` matches any base path. The list is frozen: extend it with `[...defaultEndpoints, 'GET files/*']`.
 */
export const defaultEndpoints: readonly string[] = Object.freeze([
  ...builtInFormats.flatMap((format) => format.endpoints),
  ...uploadEndpoints,
  ...otherEndpoints,
])
