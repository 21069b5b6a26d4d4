import { findFormat, providerAt } from '../formats/index.js'

/**
 * Names of the OpenTelemetry semantic conventions for generative AI, version 1.41.0, the last one that
 * https://github.com/open-telemetry/semantic-conventions has of them. Their successors are drafts so far, and rename some:
 * https://github.com/open-telemetry/semantic-conventions-genai
 */
export const SCHEMA_URL = 'https://opentelemetry.io/schemas/1.41.0'

/**
 * The operation (`gen_ai.operation.name`) that a request is; `undefined` where it is none: lists of models, files.
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

/** The provider (`gen_ai.provider.name`), to the best of our knowledge: who is known by that host, or has that format. */
export function providerOf(format: string, hostname: string | undefined): string {
  return (hostname === undefined ? undefined : providerAt(hostname)) ?? findFormat(format)?.provider ?? format
}

/** `server.address` and `server.port` of a host with or without a port. */
export function serverOf(host: string): { address: string; port: number | undefined } {
  const [, bracketed, name, port] = /^(?:\[(.*)\]|([^:]*))(?::(\d+))?$/.exec(host) ?? []
  return { address: bracketed ?? name ?? host, port: port === undefined ? undefined : Number(port) }
}
