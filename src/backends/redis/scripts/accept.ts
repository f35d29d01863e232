/** Takes jobs in: those of a group are alike but for id and body. In ARGV from \`at\` on: their ids as a block has them, then id and body of each. */
export const accepting: string = `
local function counted(queue, state)
  local field = state .. ' ' .. queue
  return (tonumber(redis.call('HGET', K .. 'counts', field)) or 0) + (counts[field] or 0)
end

local function behind(groups, at)
  for _, g in ipairs(groups) do at = at + 1 + 2 * g.n end
  return at
end

-- A store that was emptied meanwhile knows no kinds.
local function areKindsKnown()
  for number, text in pairs(args.kinds or {}) do
    if redis.call('HGET', K .. 'kinds', number) ~= text then return false end
  end
  return true
end

-- The priorities that a queue was ever used with.
local function openLane(queue, priority)
  local lanes = redis.call('HGET', K .. 'lanes', queue) or ''
  if string.find(lanes, priority, 1, true) then return end
  redis.call('HSET', K .. 'lanes', queue, lanes .. priority)
end

local function place(g, ids, bodies, rests, size)
  local n = #ids
  local last = redis.call('HINCRBY', K .. 'meta', 'seq', n)
  local before = last - n
  local rows = {}
  for i = 1, n do
    rows[2 * i - 1] = ids[i]
    rows[2 * i] = (before + i) .. '|' .. bodies[i]
  end
  redis.call('HSET', K .. 'jobs', unpack(rows))
  local first = before + 1
  redis.call('XADD', K .. 'order', first .. '-0', 'k', g.kind, 'n', n, 'a', g.at, 'p', g.prefix, 'i', rests)
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
    if redis.call('RPUSH', K .. 'fresh:' .. g.queue .. ':' .. g.priority, first) == 1 then
      hints[g.queue] = true
      openLane(g.queue, g.priority)
    end
    publish(g.queue, ids)
    count(g.queue, 'queued', n)
  end
  if not g.dead then count(g.queue, 'bytes', size) end
  tellOf(0, g.queue, g.task, g.attempt or 0, n, g.prefix, rests)
end

-- Answers in out, for each job that is not taken: its number, why, and what is known of the one before, or which limit was met.
local function accept(groups, at, out)
  local nth = 0
  for _, g in ipairs(groups) do
    local rests, ids, bodies = ARGV[at], {}, {}
    for i = 1, g.n do
      ids[i], bodies[i] = ARGV[at + 2 * i - 1], ARGV[at + 2 * i]
    end
    at = at + 1 + 2 * g.n
    local known = redis.call('HMGET', K .. 'jobs', unpack(ids))
    local once = g.once and redis.call('HGET', K .. 'once', g.once)
    local room = g.room and g.room - counted(g.queue, 'queued') - counted(g.queue, 'scheduled') or g.n
    local roomBytes = g.roomBytes and g.roomBytes - counted(g.queue, 'bytes')
    local newIds, newBodies, newRests, newSize = {}, {}, {}, 0
    for i = 1, g.n do
      local why, before
      local size = sizeOf(bodies[i])
      if once then why, before = 'once', once
      elseif known[i] then why, before = 'id', known[i]
      elseif #newIds >= room then why, before = 'full', 'jobs'
      elseif roomBytes and newSize + size > roomBytes then why, before = 'full', 'bytes'
      end
      if why then
        out[#out + 1] = nth + i - 1
        out[#out + 1] = why
        out[#out + 1] = before
      else
        newIds[#newIds + 1] = ids[i]
        newBodies[#newBodies + 1] = bodies[i]
        newSize = newSize + size
      end
    end
    if #newIds == g.n then
      place(g, ids, bodies, rests, newSize)
    elseif #newIds > 0 then
      for i, id in ipairs(newIds) do newRests[i] = string.sub(id, #g.prefix + 1) end
      place(g, newIds, newBodies, table.concat(newRests, ' '), newSize)
    end
    nth = nth + g.n
  end
  return at
end
`

/**
 * Takes jobs in. Answers `kinds` where those named are not the store's: it was emptied; or see `accept`. With `take`, who waits
 * in the same process for jobs of a queue is given them in the same step, and nobody else is told of a queue that is empty again.
 */
export const acceptScript: string = `
if not areKindsKnown() then return { 'kinds' } end
local out = {}
accept(args.groups, 2, out)
local taken = args.take and claim(args.take)
if taken and taken[1] == 'taken' and #taken[4] < args.take.limit then hints[args.take.queue] = nil end
finish()
return { out, taken or false }
`

/** The numbers of kinds, which get one if they have none. */
export const kindsScript: string = `
local out = {}
for i, text in ipairs(args.texts) do
  local number = redis.call('HGET', K .. 'kindnumbers', text)
  if not number then
    number = string.format('%d', redis.call('HINCRBY', K .. 'meta', 'kinds', 1))
    redis.call('HSET', K .. 'kinds', number, text)
    redis.call('HSET', K .. 'kindnumbers', text, number)
  end
  out[i] = number
end
return out
`
