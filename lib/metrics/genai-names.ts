import { findFormat, providerAt } from '../formats/index.js'

/**
 * Names from the OpenTelemetry semantic conventions for generative AI, version 1.41.0, the last version in
 * https://github.com/open-telemetry/semantic-conventions that contains them. Their successors are still drafts, and
 * rename some: https://github.com/open-telemetry/semantic-conventions-genai
 */
export const SCHEMA_URL = 'https://opentelemetry.io/schemas/1.41.0'

/**
 * Returns the operation (`gen_ai.operation.name`) of a request; `undefined` if it calls no model (lists of models,
 * files).
 *
 * @param path without the query
 */
export function operationOf(
  format: string,
  { method, path, model }: { method: string; path: string; model: string | undefined },
): string | undefined {
  if (method !== 'POST') return undefined
  return findFormat(format)?.operation(path, model)
}

/**
 * Guesses the provider (`gen_ai.provider.name`): the one known by this host, otherwise the one that defined the format.
 */
export function providerOf(format: string, hostname: string | undefined): string {
  return (hostname === undefined ? undefined : providerAt(hostname)) ?? findFormat(format)?.provider ?? format
}

/** Returns `server.address` and `server.port` of a host with or without a port. */
export function serverOf(host: string): { address: string; port: number | undefined } {
  const [, bracketed, name, port] = /^(?:\[(.*)\]|([^:]*))(?::(\d+))?$/.exec(host) ?? []
  return { address: bracketed ?? name ?? host, port: port === undefined ? undefined : Number(port) }
}
