/**
 * The scripts of the Redis store. A key of a limit has a hash and a sorted set. In the hash are, by the buckets' names, what
 * each window counted (`w:name:window`), what is held (`h:name`), the current window (`v:name`) and what is allowed (`m:name`);
 * and by ids what each lease holds (`l:id`). The sorted set has the ids by the ends of their leases. Time is Redis's.
 *
 * Numbers are whole, and written in full: Lua would shorten large ones.
 */
const SHARED = `
-- Added 0 makes 0 of -0, which would be written with its sign.
local function num(n) return string.format('%.0f', n + 0) end
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)

local function held_by(hash, id)
  local text = redis.call('HGET', hash, 'l:' .. id)
  local held = {}
  if text then
    for name, amount in string.gmatch(text, '([^=\\n]+)=([^=\\n]+)') do held[name] = tonumber(amount) end
  end
  return held
end

local function release(hash, leases, id)
  for name, amount in pairs(held_by(hash, id)) do redis.call('HINCRBY', hash, 'h:' .. name, num(-amount)) end
  redis.call('HDEL', hash, 'l:' .. id)
  redis.call('ZREM', leases, id)
end

local function hold(hash, leases, id, name, amount, ends)
  local held = held_by(hash, id)
  held[name] = (held[name] or 0) + amount
  local lines = {}
  for each, of in pairs(held) do lines[#lines + 1] = each .. '=' .. num(of) end
  redis.call('HSET', hash, 'l:' .. id, table.concat(lines, '\\n'))
  redis.call('HINCRBY', hash, 'h:' .. name, num(amount))
  redis.call('ZADD', leases, num(ends), id)
end

local function purge(hash, leases)
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', leases, '-inf', num(now), 'LIMIT', 0, 500)) do release(hash, leases, id) end
end

-- A server that is short of memory may have evicted the leases, and not what they hold.
local function find(hash, leases, ms)
  if redis.call('EXISTS', leases) == 1 then return end
  local found = false
  for _, field in ipairs(redis.call('HKEYS', hash)) do
    if string.sub(field, 1, 2) == 'l:' then
      redis.call('ZADD', leases, num(now + ms), string.sub(field, 3))
      found = true
    end
  end
  -- Only then: after a command that writes, a server without memory refuses none that follows.
  if found then redis.call('PEXPIRE', leases, num(ms + 60000)) end
end

local function windows(bucket)
  if bucket.kind == 'none' then return nil, nil, nil end
  if bucket.kind == 'sliding' then
    local current = math.floor(now / bucket.ms)
    return current, current - 1, current + 1
  end
  local current, following
  for _, start in ipairs(bucket.starts) do
    if start <= now then current = start elseif not following then following = start end
  end
  return current or bucket.starts[1], nil, following
end

local function counted(hash, name, window)
  if not window then return 0 end
  return tonumber(redis.call('HGET', hash, 'w:' .. name .. ':' .. num(window)) or '0')
end

local function turn(hash, bucket)
  local current, previous = windows(bucket)
  redis.call('HSET', hash, 'm:' .. bucket.name, num(bucket.allowed))
  if not current then return end
  local field = 'v:' .. bucket.name
  local known = tonumber(redis.call('HGET', hash, field) or '-1')
  -- A server whose clock is behind has taken over: what was counted must stay.
  if known >= current then return end
  redis.call('HSET', hash, field, num(current))
  if known < 0 then return end
  if bucket.kind == 'sliding' then redis.call('HDEL', hash, 'w:' .. bucket.name .. ':' .. num(known - 1)) end
  if known ~= previous then redis.call('HDEL', hash, 'w:' .. bucket.name .. ':' .. num(known)) end
end

local function count(hash, bucket, amount)
  local current, _, following = windows(bucket)
  if not current then return end
  local field = 'w:' .. bucket.name .. ':' .. num(current)
  local sum = redis.call('HINCRBY', hash, field, num(amount))
  -- Only what is added now can be too much: another limit of this key may have allowed what was counted before.
  local excess = math.min(amount, sum - bucket.allowed)
  if bucket.carries and following and excess > 0 then
    redis.call('HINCRBY', hash, field, num(-excess))
    redis.call('HINCRBY', hash, 'w:' .. bucket.name .. ':' .. num(following), num(excess))
  end
end

local function extend(key, ms)
  if redis.call('PTTL', key) < ms then redis.call('PEXPIRE', key, num(ms)) end
end

-- The leases outlive what they hold: only they can give it back.
local function keep(hash, leases, ms)
  extend(hash, ms)
  extend(leases, ms + 60000)
end

-- The mark of a request is 'settled', or '<1 if it has counted at once>:<1 if it was granted>:<its last call>'.
local function has_counted(mark) return mark and string.sub(mark, 1, 2) == '1:' end

local function needed(bucket)
  if bucket.kind == 'none' then return 0 end
  if bucket.kind == 'sliding' then return 2 * bucket.ms end
  return bucket.starts[#bucket.starts] - now
end
`

/**
 * KEYS: the request's mark, then a hash and a sorted set for each key. ARGV: a JSON of `{ id, call, leaseMs, force, claims: [{ at, … }] }`.
 * The mark shows whether the client sent a command twice.
 */
export const RESERVE: string = `${SHARED}
local asked = cjson.decode(ARGV[1])
for at = 2, #KEYS, 2 do
  purge(KEYS[at], KEYS[at + 1])
  find(KEYS[at], KEYS[at + 1], asked.leaseMs)
end
local mark = redis.call('GET', KEYS[1])
local settled = mark == 'settled'
local repeated = mark and string.sub(mark, 5) == asked.call
local granted = 1
for _, claim in ipairs(asked.claims) do
  local hash = KEYS[claim.at]
  local current, previous = windows(claim)
  local used = counted(hash, claim.name, current)
  if claim.kind == 'sliding' then used = used + counted(hash, claim.name, previous) * (1 - (now % claim.ms) / claim.ms) end
  local held = tonumber(redis.call('HGET', hash, 'h:' .. claim.name) or '0')
  if claim.amount > 0 and used + held + claim.amount > claim.allowed then granted = 0 end
end
if settled then granted = 0
elseif repeated then granted = tonumber(string.sub(mark, 3, 3))
elseif granted == 1 or asked.force then
  local had_counted = has_counted(mark)
  local counts = had_counted
  for _, claim in ipairs(asked.claims) do
    local hash, leases = KEYS[claim.at], KEYS[claim.at + 1]
    turn(hash, claim)
    if claim.atOnce then
      if not had_counted then count(hash, claim, claim.amount) end
      counts = true
    else
      hold(hash, leases, asked.id, claim.name, claim.amount, now + asked.leaseMs)
    end
    keep(hash, leases, math.max(needed(claim), asked.leaseMs))
  end
  redis.call('SET', KEYS[1], (counts and '1:' or '0:') .. granted .. ':' .. asked.call, 'PX', 600000)
end
local answer = { granted, num(now) }
for _, claim in ipairs(asked.claims) do
  local hash = KEYS[claim.at]
  local current, previous = windows(claim)
  answer[#answer + 1] = num(counted(hash, claim.name, current))
  answer[#answer + 1] = num(counted(hash, claim.name, previous))
  answer[#answer + 1] = redis.call('HGET', hash, 'h:' .. claim.name) or '0'
  answer[#answer + 1] = current and num(current) or ''
end
return answer
`

/** KEYS: the request's mark, then a hash and a sorted set for each key. ARGV: a JSON of `{ id, charges: [{ at, … }] }`. */
export const SETTLE: string = `${SHARED}
local asked = cjson.decode(ARGV[1])
local mark = redis.call('GET', KEYS[1])
if mark == 'settled' then return 0 end
redis.call('SET', KEYS[1], 'settled', 'PX', 600000)
for at = 2, #KEYS, 2 do release(KEYS[at], KEYS[at + 1], asked.id) end
for _, charge in ipairs(asked.charges) do
  local hash = KEYS[charge.at]
  if charge.amount ~= 0 and not (charge.unlessReserved and has_counted(mark)) then
    if charge.back then
      local field = 'w:' .. charge.name .. ':' .. num(charge.back)
      local sum = tonumber(redis.call('HGET', hash, field) or '0')
      if sum > 0 then redis.call('HINCRBY', hash, field, num(-math.min(sum, charge.amount))) end
    else
      turn(hash, charge)
      count(hash, charge, charge.amount)
      keep(hash, KEYS[charge.at + 1], needed(charge))
    end
  end
end
return 1
`

/** KEYS: for each lease the request's mark, a hash and a sorted set. ARGV: a JSON of `{ leaseMs, leases: [{ id, held }] }`. */
export const RENEW: string = `${SHARED}
local asked = cjson.decode(ARGV[1])
for index, lease in ipairs(asked.leases) do
  local mark, hash, leases = KEYS[3 * index - 2], KEYS[3 * index - 1], KEYS[3 * index]
  if redis.call('GET', mark) ~= 'settled' then
    local ends, held = now + asked.leaseMs, held_by(hash, lease.id)
    if next(held) then redis.call('ZADD', leases, num(ends), lease.id) end
    -- If it had ended, and a later reservation began it again, it holds only what that one asked for.
    for name, amount in pairs(lease.held) do
      local lacking = amount - (held[name] or 0)
      if lacking > 0 then hold(hash, leases, lease.id, name, lacking, ends) end
    end
    keep(hash, leases, asked.leaseMs)
  end
end
return 1
`

/** KEYS: a hash and its sorted set. */
export const READ: string = `${SHARED}
purge(KEYS[1], KEYS[2])
return redis.call('HGETALL', KEYS[1])
`

/** KEYS: a hash. */
export const RESET: string = `
for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
  if string.sub(field, 1, 2) == 'w:' then redis.call('HDEL', KEYS[1], field) end
end
return 1
`
