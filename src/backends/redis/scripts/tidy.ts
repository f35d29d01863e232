/** Brings keys of version 1 forward, which did not count the bytes that wait: all jobs are looked at, once. */
export const upgradeScript: string = `
if redis.call('HGET', K .. 'meta', 'version') ~= '1' then return 0 end

local function waits(text)
  if not text then return true end
  local state = cjson.decode((string.match(text, '^[^\\n]*'))).s
  return state == 'q' or state == 's'
end

local from = '-'
while true do
  local entries = redis.call('XRANGE', K .. 'order', from, '+', 'COUNT', 8)
  if #entries == 0 then break end
  for _, entry in ipairs(entries) do
    local block = readBlock(entry)
    local ids, _, queue = idsOf(block), kindOf(block.k)
    local bodies = redis.call('HMGET', K .. 'jobs', unpack(ids))
    local headers = redis.call('HMGET', K .. 'state', unpack(ids))
    for i, body in ipairs(bodies) do
      local seq = body and tonumber((string.match(body, '^%d+')))
      if seq == block.first + i - 1 and waits(headers[i]) then count(queue, 'bytes', sizeOf(body)) end
    end
    from = '(' .. entry[1]
  end
end
redis.call('HSET', K .. 'meta', 'version', '2')
finish()
return 1
`

/** Forgets a batch of what is past its time or over its count. Answers 1 when there may be more to do. */
export const tidyScript: string = `
local more = 0

local function drop(ids, state)
  if #ids == 0 then return end
  forget(ids, state)
  if #ids >= args.batch then more = 1 end
end

for _, state in ipairs({ 'done', 'cancelled' }) do
  local key = K .. state
  local over = redis.call('LLEN', key) - args.endedCount
  local ids = redis.call('LRANGE', key, 0, args.batch - 1)
  local n = math.max(0, math.min(over, #ids))
  if n < #ids then
    local headers = redis.call('HMGET', K .. 'state', unpack(ids, n + 1))
    for i = 1, #headers do
      local at = headers[i] and string.match(headers[i], '"e":(%d+)')
      if at and tonumber(at) > now - args.endedMs then break end
      n = n + 1
    end
  end
  if n > 0 then
    redis.call('LTRIM', key, n, -1)
    drop({ unpack(ids, 1, n) }, state)
  end
end

local over = math.max(redis.call('ZCARD', K .. 'dead') - args.deadCount, 0)
local old = redis.call('ZCOUNT', K .. 'dead', '-inf', now - args.deadMs)
local n = math.min(math.max(over, old), args.batch)
if n > 0 then
  local ids = redis.call('ZRANGE', K .. 'dead', 0, n - 1)
  redis.call('ZREM', K .. 'dead', unpack(ids))
  drop(ids, 'dead')
end

-- A few entries at a time: one may hold a thousand events.
local last = tonumber(redis.call('HGET', K .. 'meta', 'events')) or 0
local function oldEvents()
  local old = {}
  local entries = redis.call('XRANGE', K .. 'events', '-', '+', 'COUNT', 10)
  for _, entry in ipairs(entries) do
    local f = entry[2]
    if tonumber(f[4]) > now - args.eventsMs and tonumber(f[2]) > last - args.eventsCount then break end
    old[#old + 1] = entry[1]
  end
  return old
end
for round = 1, args.batch / 10 do
  local old = oldEvents()
  if #old == 0 then break end
  redis.call('XDEL', K .. 'events', unpack(old))
  if round == args.batch / 10 then more = 1 end
end
finish()
return more
`
