/** Writes an entry in a process of its own: `fork` it with the port of Redis and the entry's id as its arguments. */
import { redisJournal } from '../../lib/journal.js'
import { clients } from './clients.js'
import { batchOf, entryOf, Told } from './support.js'

async function run(port: number, id: string): Promise<void> {
  const { client } = await clients.ioredis(port)
  const journal = redisJournal({ client })
  const told = new Told()
  const writer = journal.create(entryOf(id), told)
  told.onAny = () => process.send!({ stops: told.stops, readers: writer.readers, failures: told.failures.length })
  writer.append(batchOf(1, 'one', 'two'))
  await journal.read(id, 0, 1)
  process.send!('written')
}

process.on('disconnect', () => process.exit())
void run(Number(process.argv[2]), process.argv[3]!)
