import { RedisScript } from '../util/redis-client.js'

/**
 * The scripts of names in a journal in Redis. A value is a key, `<mark of who set it>:<value>`; two sorted sets have all names,
 * one in their order, one by when they expire.
 */
const NOW = `
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local function whole(n) return string.format('%.0f', n) end
`

/**
 * Sets a value. KEYS: the value, `names`, `expiries`. ARGV: the name, a mark, the value, for how long, `1` if it must have none.
 * The mark shows whether the client sent a command twice.
 */
const put = `${NOW}
if ARGV[5] == '1' then
  local known = redis.call('GET', KEYS[1])
  if known then return string.sub(known, 1, #ARGV[2] + 1) == ARGV[2] .. ':' and 1 or 0 end
end
redis.call('SET', KEYS[1], ARGV[2] .. ':' .. ARGV[3], 'PX', ARGV[4])
redis.call('ZADD', KEYS[2], 0, ARGV[1])
redis.call('ZADD', KEYS[3], whole(now + ARGV[4]), ARGV[1])
for _, name in ipairs(redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', whole(now), 'LIMIT', 0, 10)) do
  redis.call('ZREM', KEYS[2], name)
  redis.call('ZREM', KEYS[3], name)
end
for index = 2, 3 do
  if redis.call('PTTL', KEYS[index]) < tonumber(ARGV[4]) then redis.call('PEXPIRE', KEYS[index], ARGV[4]) end
end
return 1
`

/** Reads values. KEYS: the values. */
const get = `
local values = {}
for index, key in ipairs(KEYS) do
  local known = redis.call('GET', key)
  -- An empty list stands for none: a list in Lua ends where there is nothing.
  values[index] = known and { string.match(known, '^[^:]*:(.*)$') } or {}
end
return values
`

/** Removes a value. KEYS: the value, `names`, `expiries`. ARGV: the name; then what the value must be, if it matters. */
const drop = `
local known = redis.call('GET', KEYS[1])
if not known then return 0 end
if ARGV[2] and string.match(known, '^[^:]*:(.*)$') ~= ARGV[2] then return 0 end
redis.call('DEL', KEYS[1])
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('ZREM', KEYS[3], ARGV[1])
return 1
`

/** Lists names. KEYS: `names`. ARGV: how they begin, the name before (or nothing), how many. */
const list = `
-- No text in UTF-8 has the byte 255.
local upper = ARGV[1] == '' and '+' or '(' .. ARGV[1] .. '\\255'
local lower = ARGV[2] ~= '' and '(' .. ARGV[2] or ARGV[1] == '' and '-' or '[' .. ARGV[1]
return redis.call('ZRANGEBYLEX', KEYS[1], lower, upper, 'LIMIT', 0, ARGV[3])
`

/** The scripts by what they do. */
export const nameScripts = {
  put: new RedisScript(put),
  get: new RedisScript(get),
  drop: new RedisScript(drop),
  list: new RedisScript(list),
}
