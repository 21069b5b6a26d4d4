import { Redis } from 'ioredis'
import { redisJournal } from '../../lib/journal.js'
import { batchOf, entryOf, Told } from './support.js'

/** Writes an entry, and closes nothing but the client: `leaving-process.ts <port>`. */
async function main(port: number): Promise<void> {
  const client = new Redis(port, '127.0.0.1')
  const journal = redisJournal({ client })
  const writer = journal.create(entryOf('left'), new Told())
  writer.append(batchOf(1, 'one'))
  writer.end({ how: 'complete', about: '{}' })
  await journal.read('left', 0, 1)
  client.disconnect()
}

void main(Number(process.argv[2]))
