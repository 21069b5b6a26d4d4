// One implementation, whichever way it is loaded: `import` gets the same module instance, and turns, as `require()`.
export type * from './index.js'
export {
  AiProxyError,
  aiProxy,
  defaultEndpoints,
  defaultForwardHeaders,
  framings,
  hashedKeys,
  newKey,
  textOf,
  withText,
} from './index.js'
