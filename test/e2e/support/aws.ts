import { createRequire } from 'node:module'
import { BedrockRuntimeClient, type BedrockRuntimeClientConfig } from '@aws-sdk/client-bedrock-runtime'

type Handler = BedrockRuntimeClientConfig['requestHandler']

/** The SDK's own handler for HTTP/1.1: for this service it would use HTTP/2, which Express does not support. */
const { NodeHttpHandler } = createRequire(require.resolve('@aws-sdk/client-bedrock-runtime'))(
  '@smithy/node-http-handler',
) as { NodeHttpHandler: new () => NonNullable<Handler> }

/** Makes one call with Bedrock's client, and closes the client. */
export async function withBedrock<T>(endpoint: string, ask: (client: BedrockRuntimeClient) => Promise<T>): Promise<T> {
  const client = new BedrockRuntimeClient({
    endpoint,
    region: 'eu-north-1',
    credentials: { accessKeyId: 'id', secretAccessKey: 'secret' },
    maxAttempts: 1,
    requestHandler: new NodeHttpHandler(),
  })
  try {
    return await ask(client)
  } finally {
    client.destroy()
  }
}
