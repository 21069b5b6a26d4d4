import { mediaTypesOf } from '../framing/index.js'
import { memoize } from '../util/memoize.js'

const JSON_TYPE = /^(?:application|text)\/(?:x-)?json$|\+json$/
/** Types that are never text, whatever server labels them. */
const BINARY_TYPE =
  /^(?:audio|video|image(?!\/svg)|font|model|multipart)\/|^application\/(?:pdf|zip|gzip|x-gzip|x-tar|wasm|grpc|(?:x-)?protobuf|(?:x-)?msgpack|vnd\.)/

/** What a `content-type` says about a body that is not a stream. */
export interface Label {
  readonly isJson: boolean
  /** Never text, whatever server labels it. */
  readonly isBinary: boolean
  /** Arbitrary bytes. */
  readonly isBytes: boolean
  /** Any kind of text, or no label. */
  readonly isPlain: boolean
}

const labelIn = memoize((contentType): Label => {
  const types = mediaTypesOf(contentType)
  return {
    isJson: types.some(isJsonType),
    isBinary: types.some((type) => BINARY_TYPE.test(type) && !isJsonType(type)),
    isBytes: types.includes('application/octet-stream'),
    isPlain: types.every((type) => type === 'text/plain'),
  }
})

export function labelOf(contentType = ''): Label {
  return labelIn(contentType)
}

function isJsonType(type: string): boolean {
  return JSON_TYPE.test(type)
}
