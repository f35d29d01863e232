import { spending } from './outbox.ts'

/**
 * Takes the most urgent jobs of a queue. They come from up to eleven sources: a list for each priority of jobs that were
 * never claimed (in the order of acceptance, which within one priority is the order of rank), and the sorted set `ready` of
 * those that came back, were due later, or have a key. An id in a list whose job has a header by now is no longer meant.
 */
export const claimScript: string = `${spending}
local queue, limit = args.queue, args.limit
if redis.call('SISMEMBER', K .. 'paused', queue) == 1 then
  spend(queue, limit, {})
  return { 'paused', '' }
end
local due = nextDue()
if due and due <= now then return { 'due', '' } end

local function fillFresh(s, n)
  local ids = redis.call('LRANGE', s.key, 0, n - 1)
  s.count, s.at, s.dropped = #ids, 1, 0
  if #ids == 0 then return end
  local bodies = redis.call('HMGET', K .. 'jobs', unpack(ids))
  local headers = redis.call('HMGET', K .. 'state', unpack(ids))
  s.items = {}
  for i = 1, #ids do
    local body = bodies[i]
    if body and not headers[i] then
      local seq, accepted, task = string.match(body, '^(%d+)|(%d+)|([^|]*)|')
      if seq then
        s.items[i] = { id = ids[i], body = body, task = task, seq = tonumber(seq),
          rank = rankOf(tonumber(accepted), s.priority) }
      end
    end
  end
end

local function fillReady(s, n)
  local got = redis.call('ZRANGE', s.key, 0, n - 1, 'WITHSCORES')
  s.count, s.at, s.members = #got / 2, 1, {}
  if s.count == 0 then return end
  local ids = {}
  for i = 1, s.count do ids[i] = string.sub(got[2 * i - 1], 17) end
  local bodies = redis.call('HMGET', K .. 'jobs', unpack(ids))
  local headers = redis.call('HMGET', K .. 'state', unpack(ids))
  s.items = {}
  for i = 1, s.count do
    local member = got[2 * i - 1]
    s.members[i] = member
    if bodies[i] and headers[i] then
      local task = string.match(bodies[i], '^%d+|%d+|([^|]*)|')
      local header = cjson.decode(headers[i])
      if task and header.s == 'q' then
        s.items[i] = { id = ids[i], body = bodies[i], task = task, header = header, member = member,
          seq = tonumber(string.sub(member, 1, 16)), rank = tonumber(got[2 * i]) }
      end
    end
  end
end

-- Takes out of a source what was taken, or was not meant any more.
local function drop(s)
  local n = s.at - 1
  if n == 0 then return end
  if s.priority then redis.call('LPOP', s.key, n) else redis.call('ZREM', s.key, unpack(s.members, 1, n)) end
end

local sources = {}
for priority = 9, 0, -1 do
  local key = K .. 'fresh:' .. queue .. ':' .. priority
  if redis.call('EXISTS', key) == 1 then
    sources[#sources + 1] = { key = key, priority = priority, fill = fillFresh }
  end
end
local ready = K .. 'ready:' .. queue
if redis.call('EXISTS', ready) == 1 then sources[#sources + 1] = { key = ready, fill = fillReady } end
local look = #sources > 1 and 32 or 1000

-- The next item of a source, which stays in it until it is taken.
local function peek(s, left)
  while true do
    if not s.at then s.fill(s, math.min(left, look)) end
    while s.at <= s.count and not s.items[s.at] do s.at = s.at + 1 end
    if s.at <= s.count then return s.items[s.at] end
    if s.count == 0 then return nil end
    drop(s)
    s.at = nil
  end
end

local taken = {}
while #taken < limit do
  local best, first
  for _, s in ipairs(sources) do
    local item = not s.isEmpty and peek(s, limit - #taken)
    if not item then s.isEmpty = true
    elseif not first or item.rank < first.rank or (item.rank == first.rank and item.seq < first.seq) then
      best, first = s, item
    end
  end
  if not best then break end
  taken[#taken + 1] = first
  best.at = best.at + 1
end
for _, s in ipairs(sources) do if s.at then drop(s) end end

if #taken == 0 then
  spend(queue, limit, {})
  return { 'none', due and string.format('%d', due) or '' }
end
local ids, headers, leases, out = {}, {}, {}, { 'taken', '' }
for i, item in ipairs(taken) do
  local header, text, attempt = item.header, args.fresh, 1
  if header then
    header.s, header.a, header.f, header.t, header.w = 'r', header.a + 1, header.f + 1, now, args.worker
    if header.k then
      local field = queue .. ' ' .. header.k
      redis.call('ZADD', K .. 'line:' .. field, -1, item.member)
      redis.call('HDEL', K .. 'open', field)
    end
    text, attempt = cjson.encode(header), header.a
  end
  ids[i] = item.id
  headers[2 * i - 1], headers[2 * i] = item.id, text
  leases[2 * i - 1], leases[2 * i] = args['until'], item.id
  out[#out + 1] = item.id
  out[#out + 1] = item.body
  out[#out + 1] = header and text or ''
  tell(2, queue, item.task, attempt, { item.id })
end
redis.call('ZADD', K .. 'leases', unpack(leases))
redis.call('HSET', K .. 'state', unpack(headers))
spend(queue, limit, ids)
count(queue, 'queued', -#taken)
count(queue, 'running', #taken)
finish()
return out
`
