const ready: string = `
-- All jobs of a queue that can start now are to be published.
local function publishReady(queue)
  local function add(ids)
    for _, id in ipairs(ids) do redis.call('ZADD', K .. 'publish', now, id) end
  end
  for priority = 0, 9 do
    for _, ref in ipairs(redis.call('LRANGE', K .. 'fresh:' .. queue .. ':' .. priority, 0, -1)) do
      local first, from = refOf(ref)
      local block = blockOf(first)
      if block then add((idsFrom(block, from, 1e9))) end
    end
  end
  for _, member in ipairs(redis.call('ZRANGE', K .. 'ready:' .. queue, 0, -1)) do add({ string.sub(member, 17) }) end
end
`

/** Stops and starts a queue. The messages of a paused queue may have come and found nothing to start: they come again. */
export const pauseScript: string = `${ready}
if args.paused then
  redis.call('SADD', K .. 'paused', args.queue)
else
  redis.call('SREM', K .. 'paused', args.queue)
  if redis.call('HGET', K .. 'meta', 'outbox') == '1' then publishReady(args.queue) end
  hints[args.queue] = true
end
finish()
return 1
`

/**
 * Marks what a message broker has taken, then answers what can start now and is due to be published. From the first call
 * on, the store keeps track of what is to be published.
 */
export const outboxScript: string = `${ready}
local function queueOf(body)
  local _, queue
  if body then _, queue = kindOfBody(body) end
  return queue
end

local function isOpen(id, body, text)
  if not body then return false end
  if not text then return true end
  local header = cjson.decode((string.match(text, '^[^\\n]*')))
  if header.s ~= 'q' then return false end
  if not header.k then return true end
  local open = redis.call('HGET', K .. 'open', queueOf(body) .. ' ' .. header.k)
  return open and string.sub(open, 17) == id
end

if redis.call('HSETNX', K .. 'meta', 'outbox', '1') == 1 then
  for _, field in ipairs(redis.call('HKEYS', K .. 'counts')) do
    local queue = string.match(field, '^queued (.*)$')
    if queue then publishReady(queue) end
  end
end
for _, id in ipairs(args.published) do
  if redis.call('ZREM', K .. 'publish', id) == 1 then redis.call('ZADD', K .. 'published', now, id) end
end
if args.lost then
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', K .. 'published', '-inf', '(' .. args.lost.markedBefore)) do
    local body = redis.call('HGET', K .. 'jobs', id)
    if not body or queueOf(body) == args.lost.queue then redis.call('ZREM', K .. 'published', id) end
    if body and queueOf(body) == args.lost.queue then redis.call('ZADD', K .. 'publish', now, id) end
  end
end
local out = {}
if args.limit < 1 then return { {}, out } end
for _, id in ipairs(redis.call('ZRANGEBYSCORE', K .. 'publish', '-inf', now, 'LIMIT', 0, args.limit)) do
  local body, text = redis.call('HGET', K .. 'jobs', id), redis.call('HGET', K .. 'state', id)
  if isOpen(id, body, text) then
    out[#out + 1] = id
    out[#out + 1] = body
    out[#out + 1] = text or ''
    redis.call('ZADD', K .. 'publish', now + args.again, id)
  else
    redis.call('ZREM', K .. 'publish', id)
  end
end
return { kindsMet(), out }
`
