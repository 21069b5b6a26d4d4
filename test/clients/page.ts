/** A page with what the tests have browsers do: they call its functions, one after the other. */
export const page = String.raw`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>A client</title>
<link rel="icon" href="data:,">
<script>
  let source
  const heard = []
  let wake = () => {}

  function listen(url, types) {
    source = new EventSource(url)
    const hear = (event) => {
      heard.push(event)
      wake()
    }
    for (const type of types) {
      source.addEventListener(type, ({ data, lastEventId }) =>
        hear(type === 'error' ? { type, readyState: source.readyState } : { type, data, lastEventId }),
      )
    }
  }

  async function nextHeard() {
    while (heard.length === 0) await new Promise((resolve) => (wake = resolve))
    return heard.shift()
  }

  const leaving = new AbortController()
  let reader
  let text = ''

  const named = (error) => ({ error: error.name })

  async function post(url, body) {
    const headers = { 'content-type': 'application/json', authorization: 'Bearer sk-client' }
    const init = { method: 'POST', headers, body: JSON.stringify(body), signal: leaving.signal }
    const response = await fetch(url, init)
    reader = response.body.pipeThrough(new TextDecoderStream()).getReader()
    return { status: response.status, type: response.headers.get('content-type'), retry: response.headers.get('retry-after') }
  }

  async function nextEvent() {
    for (;;) {
      const end = text.indexOf('\n\n') + 2
      if (end > 1) {
        const event = text.slice(0, end)
        text = text.slice(end)
        return event
      }
      const { done, value } = await reader.read()
      if (done) return text
      text += value
    }
  }
</script>
</html>`
