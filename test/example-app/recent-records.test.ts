import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ExchangeRecord } from 'express-ai-proxy'
import { RecentRecords } from '../../example-app/chat/recent-records.js'

const record = (id: string) => ({ id, outcome: 'completed' }) as ExchangeRecord

test('get() returns an existing record at once', async () => {
  const records = new RecentRecords()
  records.add('a', record('1'))
  assert.equal((await records.get('a'))?.id, '1')
})

test('get() waits for the record of a running exchange', async () => {
  const records = new RecentRecords()
  const waiting = [records.get('a', 60_000), records.get('a', 60_000)]
  records.add('b', record('1'))
  records.add('a', record('2'))
  assert.deepEqual(
    (await Promise.all(waiting)).map((found) => found?.id),
    ['2', '2'],
  )
})

test('get() returns undefined after its timeout', async () => {
  const alive = setTimeout(() => {}, 60_000)
  assert.equal(await new RecentRecords().get('a', 1), undefined)
  clearTimeout(alive)
})

test('only the most recent records are kept', async () => {
  const records = new RecentRecords(2)
  for (const id of ['a', 'b', 'a', 'c']) records.add(id, record(id))
  assert.equal(await records.get('a').then((found) => found?.id), 'a')
  assert.equal(await records.get('c').then((found) => found?.id), 'c')
  const alive = setTimeout(() => {}, 60_000)
  assert.equal(await records.get('b', 1), undefined)
  clearTimeout(alive)
})
