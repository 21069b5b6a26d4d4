/** What a constructed `Response` cannot be given, and takes from the original instead. */
const TAKEN_OVER = ['url', 'redirected', 'type'] as const

/**
 * Returns a response with another body that is the original in all else, `url` included.
 *
 * @param onCopy called with the response and with each clone of it
 */
export function wrappedResponse(
  original: Response,
  body: ReadableStream<Uint8Array>,
  onCopy: (response: Response) => void,
): Response {
  const { status, statusText, headers } = original
  const takeOver = (response: Response): Response => {
    for (const name of TAKEN_OVER) {
      Object.defineProperty(response, name, { value: original[name], configurable: true })
    }
    const clone = () => takeOver(Response.prototype.clone.call(response))
    Object.defineProperty(response, 'clone', { value: clone, configurable: true, writable: true })
    onCopy(response)
    return response
  }
  return takeOver(new Response(body, { status, statusText, headers }))
}
