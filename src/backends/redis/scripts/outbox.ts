const owing: string = `
-- No message is out for these jobs any more: they are owed one, if they can start when it is due.
local function oweAgain(queue, ids)
  for _, id in ipairs(ids) do
    redis.call('ZREM', K .. 'out:' .. queue, id)
    redis.call('ZADD', K .. 'publish', 0, id)
  end
end
`

/**
 * A claim spends messages, whichever jobs it takes: those that it spends beyond those of the jobs taken were meant for others.
 * A job that cannot start any more stays out until its message is spent, by whomever.
 */
export const spending: string = `${owing}
local function spend(queue, messages, ids)
  if redis.call('HGET', K .. 'meta', 'outbox') ~= '1' then return end
  if #ids > 0 then
    redis.call('ZREM', K .. 'publish', unpack(ids))
    messages = messages - redis.call('ZREM', K .. 'out:' .. queue, unpack(ids))
  end
  if messages > 0 then oweAgain(queue, redis.call('ZRANGE', K .. 'out:' .. queue, 0, messages - 1)) end
end
`

const ready: string = `
-- All jobs of a queue that can start now, and for which no message is out, are owed one.
local function publishReady(queue)
  local function add(ids)
    for _, id in ipairs(ids) do
      if not redis.call('ZMSCORE', K .. 'out:' .. queue, id)[1] then redis.call('ZADD', K .. 'publish', 0, id) end
    end
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

/** Stops and starts a queue. What waits in a paused queue was owed no message. */
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
 * on, the store keeps track of what is owed a message (`publish`), and for what one may be out since when (`out:queue`).
 */
export const outboxScript: string = `${owing}${ready}
local function queueOf(body)
  local _, queue = kindOfBody(body)
  return queue
end

local function isOpen(queue, id, text)
  if not text then return true end
  local header = cjson.decode((string.match(text, '^[^\\n]*')))
  if header.s ~= 'q' then return false end
  if not header.k then return true end
  local open = redis.call('HGET', K .. 'open', queue .. ' ' .. header.k)
  return open and string.sub(open, 17) == id
end

if redis.call('HSETNX', K .. 'meta', 'outbox', '1') == 1 then
  for _, field in ipairs(redis.call('HKEYS', K .. 'counts')) do
    local queue = string.match(field, '^queued (.*)$')
    if queue then publishReady(queue) end
  end
end
for _, id in ipairs(args.published) do
  local body = redis.call('HGET', K .. 'jobs', id)
  if body and redis.call('ZMSCORE', K .. 'out:' .. queueOf(body), id)[1] then redis.call('ZREM', K .. 'publish', id) end
end
local lost = args.lost
if lost then
  local out = K .. 'out:' .. lost.queue
  local missing = lost.messages == cjson.null and 1 or redis.call('ZCARD', out) - lost.messages
  for _, range in ipairs({ { '-inf', '(' .. lost.before }, { '(' .. now, '+inf' } }) do
    if missing > 0 then
      local ids = redis.call('ZRANGEBYSCORE', out, range[1], range[2], 'LIMIT', 0, missing)
      missing = missing - #ids
      oweAgain(lost.queue, ids)
    end
  end
end
local out = {}
while #out < args.limit * 3 do
  local left = args.limit - #out / 3
  local ids = redis.call('ZRANGEBYSCORE', K .. 'publish', '-inf', now, 'LIMIT', 0, left)
  if #ids == 0 then break end
  for _, id in ipairs(ids) do
    local body, text = redis.call('HGET', K .. 'jobs', id), redis.call('HGET', K .. 'state', id)
    local queue = body and queueOf(body)
    if not body or not isOpen(queue, id, text) then
      redis.call('ZREM', K .. 'publish', id)
    elseif redis.call('SISMEMBER', K .. 'paused', queue) == 1 then
      redis.call('ZREM', K .. 'publish', id)
      redis.call('ZREM', K .. 'out:' .. queue, id)
    else
      out[#out + 1] = id
      out[#out + 1] = body
      out[#out + 1] = text or ''
      redis.call('ZADD', K .. 'publish', now + args.again, id)
      redis.call('ZADD', K .. 'out:' .. queue, now, id)
    end
  end
end
return { kindsMet(), out }
`
