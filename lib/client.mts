// These are the types. `npm run build` replaces the code by a bundle of client.ts: browsers cannot load CommonJS.
export type * from './client.js'
export { ResumeError, resumable, stop } from './client.js'
