import { beforeTheEnd, sseEvent, streams, type WireStream } from './streams.js'

/** Streams that are complete although their protocol's last message is missing, or says it in another way. */
export const finished: [what: string, stream: WireStream, frames: readonly Buffer[]][] = [
  ['chat without usage and [DONE]', streams.chat, streams.chat.frames.slice(0, -2)],
  ['chat with usage, without [DONE]', streams.chat, streams.chat.frames.slice(0, -1)],
  ['completions without [DONE]', streams.completions, streams.completions.frames.slice(0, -1)],
  ['Anthropic without message_stop', streams.anthropic, streams.anthropic.frames.slice(0, -1)],
  [
    'Anthropic, a programmatic tool call',
    streams.anthropic,
    [
      sseEvent({
        type: 'message_start',
        message: { id: 'm', content: [{ type: 'tool_use' }], stop_reason: 'tool_use' },
      }),
    ],
  ],
  ['converse without metadata', streams.converse, streams.converse.frames.slice(0, -1)],
  [
    'Gemini, with the names of its protocol buffers',
    streams.geminiSse,
    [
      ...beforeTheEnd(streams.geminiSse),
      sseEvent({ candidates: [{ finish_reason: 'STOP' }], usage_metadata: { prompt_token_count: 5 } }),
    ],
  ],
  ['Gemini, a prompt that is blocked', streams.geminiSse, [sseEvent({ promptFeedback: { blockReason: 'SAFETY' } })]],
  [
    'chat with [DONE] and no finish reason',
    streams.chat,
    [...beforeTheEnd(streams.chat), Buffer.from('data: [DONE]\n\n')],
  ],
  [
    'responses that were cancelled',
    streams.responses,
    [
      ...beforeTheEnd(streams.responses),
      sseEvent({ type: 'response.cancelled', response: { status: 'cancelled' } }, 'response.cancelled'),
    ],
  ],
]
