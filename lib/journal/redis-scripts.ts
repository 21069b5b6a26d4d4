import { RedisScript } from '../util/redis-client.js'

/**
 * The scripts of the journal in Redis. They need no more than Redis 6.0.
 *
 * An entry has a hash (`writer`, `about`, `head`, `end`, `newest`, `oldest`, `seq`) and a stream. An item of the stream has
 * some events; its id is `<number of the last>-0`, its fields are `f` (number of the first), `t` or `b` (text or base64) and
 * `m` (ends and moments). `h`, `e` and `o` announce a head, the end, and a new oldest event; an item without events
 * has the id `<newest>-<seq>`. `seq` counts what the writer sent: clients send a command again if its answer was lost.
 * A dropped entry leaves a stream with one item, `x`, for a while: whoever watches wakes up, and nothing can be added.
 */
const NOW = `
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local function whole(n) return string.format('%.0f', n) end
`

/** Longest that a message waits for its process. */
const INBOX_MS = 60_000
/** How long a dropped entry is known as such. */
const TOMBSTONE_MS = 60_000

/**
 * Creates entries, and adds to them. KEYS: `alive`, then a hash and a stream for each entry. ARGV: the process, for how long
 * it is alive, for how long an open entry is kept; then for each entry what {@link RedisEntryWriter.take} returns. Returns for
 * each entry 1, 0 if it was dropped, -1 if it has vanished, -2 if something of it is missing.
 */
const append = `${NOW}
redis.call('ZADD', KEYS[1], whole(now + ARGV[2]), ARGV[1])
redis.call('PEXPIRE', KEYS[1], 600000)
local at = 4
local function take() at = at + 1; return ARGV[at - 1] end
local answers = {}
for index = 2, #KEYS, 2 do
  local entry, stream = KEYS[index], KEYS[index + 1]
  local seq, about, newest, oldest, head, ending, keepMs, kept, count =
    take(), take(), take(), take(), take(), take(), take(), take(), tonumber(take())
  local first_argument = at
  at = at + 5 * count
  local known = redis.call('HGET', entry, 'seq')
  if not known and seq == '1' and redis.call('EXISTS', stream) == 0 then
    redis.call('HSET', entry, 'writer', ARGV[1], 'about', about, 'newest', '0', 'oldest', '1', 'seq', '0')
    redis.call('XADD', stream, '0-1', 'w', '1')
    redis.call('PEXPIRE', entry, ARGV[3])
    redis.call('PEXPIRE', stream, ARGV[3])
    known = '0'
  end
  local answer = 1
  if not known then
    local last = redis.call('XREVRANGE', stream, '+', '-', 'COUNT', 1)[1]
    answer = last and last[2][1] == 'x' and 0 or -1
  elseif redis.call('EXISTS', stream) == 0 then
    answer = -2
  elseif tonumber(known) == seq - 1 then
    local told = {}
    if head ~= '' then told[#told + 1] = 'h'; told[#told + 1] = head end
    if ending ~= '' then told[#told + 1] = 'e'; told[#told + 1] = ending end
    if kept ~= '' then told[#told + 1] = 'o'; told[#told + 1] = oldest end
    for item = 1, count do
      local from = first_argument + 5 * (item - 1)
      local fields = { 'f', ARGV[from + 1], ARGV[from + 2], ARGV[from + 3], 'm', ARGV[from + 4] }
      if item == count then for _, field in ipairs(told) do fields[#fields + 1] = field end end
      redis.call('XADD', stream, ARGV[from] .. '-0', unpack(fields))
    end
    if count == 0 and #told > 0 then redis.call('XADD', stream, newest .. '-' .. (seq + 1), unpack(told)) end
    redis.call('HSET', entry, 'seq', seq, 'newest', newest, 'oldest', oldest)
    if head ~= '' then redis.call('HSET', entry, 'head', head) end
    if kept ~= '' then redis.call('XTRIM', stream, 'MAXLEN', kept) end
    if ending ~= '' then
      redis.call('HSET', entry, 'end', ending)
      redis.call('PEXPIRE', entry, keepMs)
      redis.call('PEXPIRE', stream, keepMs)
    end
  elseif tonumber(known) ~= tonumber(seq) then
    answer = -2
  end
  answers[#answers + 1] = answer
end
return answers
`

/**
 * Reads an entry. KEYS: `alive`, a hash, a stream. ARGV: the event before the first that is wanted, how many bytes; 0 for no
 * events. Returns nothing if the entry is missing.
 */
const read = `${NOW}
local known = redis.call('HMGET', KEYS[2], 'writer', 'about', 'head', 'end', 'newest', 'oldest')
if not known[1] then return {} end
local expires = redis.call('ZSCORE', KEYS[1], known[1])
-- 0 is one that has left, -1 one that is late.
local is_alive = expires and (tonumber(expires) > now and 1 or -1) or 0
local last = redis.call('XREVRANGE', KEYS[3], '+', '-', 'COUNT', 1)
local position = last[1] and last[1][1] or '0-0'
local after, wanted = tonumber(ARGV[1]), tonumber(ARGV[2])
local items, size = {}, 0
local from = whole(after + 1) .. '-0'
while size < wanted and after < tonumber(known[5]) do
  local some = redis.call('XRANGE', KEYS[3], from, '+', 'COUNT', 16)
  for _, item in ipairs(some) do
    local fields = item[2]
    if fields[1] == 'f' and size < wanted then
      items[#items + 1] = { item[1], fields[2], fields[3], fields[4], fields[6] }
      size = size + #fields[4]
    end
    local number, seq = string.match(item[1], '^(%d+)-(%d+)$')
    from = number .. '-' .. whole(seq + 1)
  end
  if #some < 16 then break end
end
return { is_alive, known[1], known[2] or '', known[3] or '', known[4] or '', known[5], known[6], position, items }
`

/** Drops entries. KEYS: a hash and a stream for each. ARGV: `1` to notify watchers even if there is no such entry. */
const remove = `
for index = 1, #KEYS, 2 do
  local entry, stream = KEYS[index], KEYS[index + 1]
  local known = redis.call('EXISTS', entry)
  if known == 1 or ARGV[1] == '1' then
    redis.call('DEL', entry, stream)
    redis.call('XADD', stream, '18446744073709551615-1', 'x', '1')
    redis.call('PEXPIRE', stream, ${TOMBSTONE_MS})
  end
end
return 1
`

/** Keeps an entry that has ended. KEYS: a hash, a stream. ARGV: for how long. */
const keep = `
if redis.call('HEXISTS', KEYS[1], 'end') == 1 then
  redis.call('PEXPIRE', KEYS[1], ARGV[1])
  redis.call('PEXPIRE', KEYS[2], ARGV[1])
end
return 1
`

/** Keeps open entries. KEYS: a hash and a stream for each. ARGV: for how long. */
const touch = `
for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, ARGV[1]) end
return 1
`

/**
 * Says that a process is alive. KEYS: `alive`, its inbox. ARGV: the process, for how long, how many messages it has read, their
 * ids, then other processes. Returns the messages, which of the others are gone, and 1 if this process was not known, or is
 * late: others may have forgotten it.
 */
const renew = `${NOW}
redis.call('ZADD', KEYS[1], whole(now + ARGV[2]), ARGV[1])
-- A member of its own: appending makes the other known again.
local before = redis.call('ZSCORE', KEYS[1], ARGV[1] .. ':renews')
local is_new = (not before or tonumber(before) <= now) and 1 or 0
redis.call('ZADD', KEYS[1], whole(now + ARGV[2]), ARGV[1] .. ':renews')
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', whole(now - 600000))
redis.call('PEXPIRE', KEYS[1], 600000)
local read = tonumber(ARGV[3])
for index = 4, 3 + read do redis.call('XDEL', KEYS[2], ARGV[index]) end
local gone = {}
for index = 4 + read, #ARGV do
  local expires = redis.call('ZSCORE', KEYS[1], ARGV[index])
  if not expires or tonumber(expires) <= now then gone[#gone + 1] = ARGV[index] end
end
return { redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', 500), gone, is_new }
`

/** Says that a process is gone. KEYS: `alive`, its inbox. ARGV: the process. */
const leave = `
redis.call('ZREM', KEYS[1], ARGV[1], ARGV[1] .. ':renews')
redis.call('DEL', KEYS[2])
return 1
`

/** Leaves a message. KEYS: an inbox. ARGV: its fields. */
const post = `
redis.call('XADD', KEYS[1], 'MAXLEN', '~', 10000, '*', unpack(ARGV))
redis.call('PEXPIRE', KEYS[1], ${INBOX_MS})
return 1
`

/** The scripts by what they do. */
export const journalScripts = {
  append: new RedisScript(append),
  read: new RedisScript(read),
  remove: new RedisScript(remove),
  keep: new RedisScript(keep),
  touch: new RedisScript(touch),
  renew: new RedisScript(renew),
  leave: new RedisScript(leave),
  post: new RedisScript(post),
}
