import { AGING_MS } from '../../../job/priority.ts'

/**
 * What every script begins with. Scripts keep the indexes together and decide nothing about a job: TypeScript says what it
 * becomes, and a script does it where the job still is what TypeScript saw.
 *
 * `ARGV[1]` is a JSON object of named values; what is large follows as it is. `KEYS[1]` is the beginning of all keys, and
 * holds the hash tag that keeps them in one slot.
 */
export const common: string = `
local K = KEYS[1]
local args = cjson.decode(ARGV[1])
local now = args.now
local counts, told, hints = {}, {}, {}

local function count(queue, state, by)
  local field = state .. ' ' .. queue
  counts[field] = (counts[field] or 0) + by
end

-- An event: its type (a position in jobEventTypes), and the jobs it is told of.
local function tell(kind, queue, task, attempt, ids, data)
  local last = told[#told]
  if not data and last and not last[6] and last[1] == kind and last[2] == queue and last[3] == task
    and last[4] == attempt then
    local all = last[5]
    for i = 1, #ids do all[#all + 1] = ids[i] end
  else
    local copy = {}
    for i = 1, #ids do copy[i] = ids[i] end
    told[#told + 1] = { kind, queue, task, attempt, copy, data }
  end
end

local isPublishing
-- A message broker is to be told of jobs of a queue that can start from now on, if there is one.
local function publish(queue, ids)
  if isPublishing == nil then isPublishing = redis.call('HGET', K .. 'meta', 'outbox') == '1' end
  if not isPublishing then return end
  local due = {}
  for i = 1, #ids do
    due[2 * i - 1], due[2 * i] = 0, ids[i]
  end
  redis.call('ZADD', K .. 'publish', unpack(due))
  redis.call('ZREM', K .. 'out:' .. queue, unpack(ids))
end

local function opened(queue, ids)
  hints[queue] = true
  publish(queue, ids)
end

-- Who stands first in the line of a key may be claimed, if it waits; nobody else of the line.
local function settleLine(queue, key)
  local ready, field = K .. 'ready:' .. queue, queue .. ' ' .. key
  local head = redis.call('ZRANGE', K .. 'line:' .. field, 0, 0)[1]
  local open = redis.call('HGET', K .. 'open', field)
  local rank
  if head then
    local header = cjson.decode(redis.call('HGET', K .. 'state', string.sub(head, 17)))
    if header.s == 'q' then rank = header.r end
  end
  if open and (open ~= head or not rank) then
    redis.call('ZREM', ready, open)
    redis.call('HDEL', K .. 'open', field)
    open = nil
  end
  if not rank then return end
  redis.call('ZADD', ready, rank, head)
  if open then return end
  redis.call('HSET', K .. 'open', field, head)
  opened(queue, { string.sub(head, 17) })
end

-- The last thing a script does: writes what was added up, and tells who listens.
local function finish()
  for field, by in pairs(counts) do
    if by ~= 0 then redis.call('HINCRBY', K .. 'counts', field, by) end
  end
  local n, mask = 0, 0
  for i = 1, #told do
    n = n + #told[i][5]
    mask = bit.bor(mask, bit.lshift(1, told[i][1]))
  end
  if n > 0 then
    local last = redis.call('HINCRBY', K .. 'meta', 'events', n)
    redis.call('XADD', K .. 'events', (last - n + 1) .. '-0', 'last', last, 'at', now, 'types', mask, 'told',
      cjson.encode(told))
    redis.call('PUBLISH', K .. 'events', mask)
  end
  for queue in pairs(hints) do redis.call('PUBLISH', K .. 'jobs', queue) end
end

-- The earliest instant at which time alone moves a job.
local function nextDue()
  local at
  for _, name in ipairs({ 'scheduled', 'leases', 'deadlines' }) do
    local first = redis.call('ZRANGE', K .. name, 0, 0, 'WITHSCORES')[2]
    first = first and tonumber(first)
    if first and (not at or first < at) then at = first end
  end
  return at
end
`

/** Takes jobs in: those of a group are alike but for id and body, which follow in ARGV from `at` on. */
export const accepting: string = `
local function waiting(queue)
  local n = 0
  for _, state in ipairs({ 'queued ', 'scheduled ' }) do
    local field = state .. queue
    n = n + (tonumber(redis.call('HGET', K .. 'counts', field)) or 0) + (counts[field] or 0)
  end
  return n
end

local function place(g, ids, bodies)
  local n = #ids
  local last = redis.call('HINCRBY', K .. 'meta', 'seq', n)
  local rows = {}
  for i = 1, n do
    local seq = last - n + i
    rows[2 * i - 1] = ids[i]
    rows[2 * i] = seq .. '|' .. bodies[i]
    redis.call('XADD', K .. 'order', seq .. '-0', 'i', ids[i])
  end
  redis.call('HSET', K .. 'jobs', unpack(rows))
  if g.once then redis.call('HSET', K .. 'once', g.once, g.print .. '\\n' .. ids[1]) end
  if g.deadline then redis.call('ZADD', K .. 'deadlines', g.deadline, ids[1]) end
  if g.notes then redis.call('HSET', K .. 'notes', ids[1], g.notes) end
  if g.header then redis.call('HSET', K .. 'state', ids[1], g.header) end
  local member = string.format('%016d', last) .. ids[1]
  if g.key and (g.begun or not g.due) then
    redis.call('ZADD', K .. 'line:' .. g.queue .. ' ' .. g.key, (g.begun and 0 or 2251799813685248) + last, member)
    settleLine(g.queue, g.key)
  end
  if g.due then
    redis.call('ZADD', K .. 'scheduled', g.due, ids[1])
    count(g.queue, 'scheduled', 1)
  elseif g.dead then
    redis.call('ZADD', K .. 'dead', g.dead, ids[1])
    count(g.queue, 'dead', 1)
  elseif g.rank then
    redis.call('ZADD', K .. 'ready:' .. g.queue, g.rank, member)
    opened(g.queue, ids)
    count(g.queue, 'queued', 1)
  elseif g.key then
    count(g.queue, 'queued', 1)
  else
    local length = redis.call('RPUSH', K .. 'fresh:' .. g.queue .. ':' .. g.priority, unpack(ids))
    if length == n then hints[g.queue] = true end
    publish(g.queue, ids)
    count(g.queue, 'queued', n)
  end
  tell(0, g.queue, g.task, g.attempt or 0, ids)
end

-- Answers in out, for each job that is not taken: its number, why, and what is known of the one before.
local function accept(groups, at, out)
  local nth = 0
  for _, g in ipairs(groups) do
    local ids, bodies = {}, {}
    for i = 1, g.n do
      ids[i], bodies[i] = ARGV[at], ARGV[at + 1]
      at = at + 2
    end
    local known = redis.call('HMGET', K .. 'jobs', unpack(ids))
    local once = g.once and redis.call('HGET', K .. 'once', g.once)
    local room = g.room and g.room - waiting(g.queue) or g.n
    local newIds, newBodies = {}, {}
    for i = 1, g.n do
      local why, before
      if once then why, before = 'once', once
      elseif known[i] then why, before = 'id', known[i]
      elseif #newIds >= room then why, before = 'full', ''
      end
      if why then
        out[#out + 1] = nth + i - 1
        out[#out + 1] = why
        out[#out + 1] = before
      else
        newIds[#newIds + 1] = ids[i]
        newBodies[#newBodies + 1] = bodies[i]
      end
    end
    if #newIds > 0 then place(g, newIds, newBodies) end
    nth = nth + g.n
  end
  return at
end
`

/** Forgets ended jobs and all that is known of them. */
export const forgetting: string = `
local function forget(ids)
  local seqs = {}
  for _, body in ipairs(redis.call('HMGET', K .. 'jobs', unpack(ids))) do
    if body then
      local seq, few = string.match(body, '^(%d+)|%d+|[^|]*|[^|]*|%d+|%d+|[^|]*|([^\\n]*)\\n')
      if seq then seqs[#seqs + 1] = seq .. '-0' end
      if few and few ~= '' then
        local once = cjson.decode(few).once
        if once then redis.call('HDEL', K .. 'once', once[1]) end
      end
    end
  end
  for _, name in ipairs({ 'jobs', 'state', 'notes' }) do redis.call('HDEL', K .. name, unpack(ids)) end
  if #seqs > 0 then redis.call('XDEL', K .. 'order', unpack(seqs)) end
end
`

/** Ranks as TypeScript has them. */
export const ranking: string = `
local function rankOf(accepted, priority) return accepted - priority * ${AGING_MS} end
`
