import { describeResponse, explain } from './failure.mjs'

const RETRY_MS = 1000

/**
 * What the app lets its pages know; asked for again until it is there. `onProblem` is called with what is wrong, and with nothing
 * once it is right.
 */
export async function loadSettings({ onProblem = () => {} } = {}) {
  while (true) {
    const [settings, problem] = await ask()
    onProblem(problem && `${problem} Trying again…`)
    if (settings) return settings
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS))
  }
}

async function ask() {
  try {
    const response = await fetch('../settings')
    return response.ok ? [await response.json(), undefined] : [undefined, await describeResponse(response)]
  } catch (error) {
    return [undefined, explain(error)]
  }
}
