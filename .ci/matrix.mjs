// What the tests run on: a row for each line of Node and of the dependencies that is supported.
//   node .ci/matrix.mjs          prints the rows' names, one a line
//   node .ci/matrix.mjs NAME     prints a row, one word a line: its version of Node, then what it installs in place of the locked versions

/** The newest lines of what is supported, and clients whose newest major does not run on Node 20. */
const newest = [
  'http-proxy-middleware@4',
  'eventsource-parser@4',
  'express@5',
  '@types/express@5',
  'openai@7',
  'ai@7',
  '@ai-sdk/openai@4',
  '@ai-sdk/anthropic@4',
  '@langchain/openai@1.6',
  'eventsource@5',
  '@google/genai@3',
]

const rows = {
  base: ['20'],
  // The recipes for Bun and Deno run in one row: these do not depend on the line of Node.
  'node-24': ['24', ...newest, 'bun@1', 'deno@2'],
  'node-26': ['26', ...newest],
  'express-4': ['20', 'express@4', '@types/express@4'],
}

const [name] = process.argv.slice(2)
if (name !== undefined && !Object.hasOwn(rows, name)) {
  console.error(`There is no row ${name}: ${Object.keys(rows).join(', ')}.`)
  process.exitCode = 1
} else {
  console.log((name === undefined ? Object.keys(rows) : rows[name]).join('\n'))
}
