import { AGING_MS } from '../../../job/priority.ts'

/**
 * What every script begins with. Scripts keep the indexes together and decide nothing about a job: TypeScript says what it
 * becomes, and a script does it where the job still is what TypeScript saw.
 *
 * `ARGV[1]` is a JSON object of named values; what is large follows as it is. `KEYS[1]` is the beginning of all keys, and
 * holds the hash tag that keeps them in one slot. What is done a job costs a server more than all else: whatever can be is
 * done for many at once, and a number that goes to the server as text is made text once.
 */
export const common: string = `
local K = KEYS[1]
local args = cjson.decode(ARGV[1])
local now = args.now
local nowText = string.format('%d', now)
local counts, hints = {}, {}
local told, toldCount, toldMask = {}, 0, 0

local function count(queue, state, by)
  local field = state .. ' ' .. queue
  counts[field] = (counts[field] or 0) + by
end

-- Events of a type (a position in jobEventTypes): of n jobs, whose ids are rests behind a prefix, divided by spaces.
local function tellOf(kind, queue, task, attempt, n, prefix, rests, data)
  told[#told + 1] = { kind, queue, task, attempt, n, prefix, rests, data }
  toldCount = toldCount + n
  toldMask = bit.bor(toldMask, bit.lshift(1, kind))
end

local function tell(kind, queue, task, attempt, ids, data)
  tellOf(kind, queue, task, attempt, #ids, '', table.concat(ids, ' '), data)
end

local isPublishing
-- A message broker is to be told of jobs that can start from now on, if there is one.
local function publish(ids)
  if isPublishing == nil then isPublishing = redis.call('HGET', K .. 'meta', 'outbox') == '1' end
  if not isPublishing then return end
  local due = {}
  for i = 1, #ids do
    due[2 * i - 1], due[2 * i] = nowText, ids[i]
  end
  redis.call('ZADD', K .. 'publish', unpack(due))
  redis.call('ZREM', K .. 'published', unpack(ids))
end

local function opened(queue, ids)
  hints[queue] = true
  publish(ids)
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
  if toldCount > 0 then
    local last = redis.call('HINCRBY', K .. 'meta', 'events', toldCount)
    redis.call('XADD', K .. 'events', (last - toldCount + 1) .. '-0', 'last', last, 'at', nowText, 'types', toldMask,
      'told', cjson.encode(told))
    redis.call('PUBLISH', K .. 'events', toldMask)
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

/** Kinds: what jobs are of alike, each written once. A body begins with its number and the number of its kind. */
export const kinds: string = `
local kindTexts, kindNumbers = {}, {}

-- Task, queue and priority.
local function kindOf(number)
  local text = kindTexts[number]
  if not text then
    text = redis.call('HGET', K .. 'kinds', number) or '||'
    kindTexts[number] = text
    kindNumbers[#kindNumbers + 1] = number
  end
  return string.match(text, '^([^|]*)|([^|]*)|([^|]*)')
end

local function kindOfBody(body) return kindOf(string.match(body, '^%d+|(%d+)|')) end

-- The kinds that were met, number and text in turn, for who reads the bodies.
local function kindsMet()
  local out = {}
  for i, number in ipairs(kindNumbers) do out[2 * i - 1], out[2 * i] = number, kindTexts[number] end
  return out
end
`

/**
 * Blocks: jobs that were accepted together and are alike stand in one entry of the stream `order`, under the number of the
 * first of them. Their ids are rests behind a prefix, divided by spaces, which only the id of a block of one may have. A list `fresh` holds blocks, not jobs: its first one
 * with the place of the byte where the rest of it begins.
 */
export const blocks: string = `
local function readBlock(entry)
  local block, fields = { first = tonumber((string.match(entry[1], '^%d+'))) }, entry[2]
  for i = 1, #fields, 2 do block[fields[i]] = fields[i + 1] end
  return block
end

local function blockOf(first)
  local entry = redis.call('XRANGE', K .. 'order', first .. '-0', first .. '-0')[1]
  return entry and readBlock(entry)
end

-- The block that the job of this number is in.
local function blockAround(seq)
  local entry = redis.call('XREVRANGE', K .. 'order', seq .. '-0', '-', 'COUNT', 1)[1]
  return entry and readBlock(entry)
end

-- Up to so many ids of a block from a byte on, and the byte behind each of them.
local function idsFrom(block, from, most)
  local ids, ends, prefix, rests = {}, {}, block.p, block.i
  if block.n == '1' then
    if from == 1 then return { prefix .. rests }, { #rests + 2 } end
    return ids, ends
  end
  while from <= #rests and #ids < most do
    local at = string.find(rests, ' ', from, true) or #rests + 1
    ids[#ids + 1] = prefix .. string.sub(rests, from, at - 1)
    from = at + 1
    ends[#ends + 1] = from
  end
  return ids, ends
end

local function idsOf(block) return (idsFrom(block, 1, 1e9)) end

-- A block in a list: its number, and the byte where the rest of it begins.
local function refOf(text)
  local first, from = string.match(text, '^(%d+)%+?(%d*)$')
  return first, tonumber(from) or 1
end
`

/** Takes jobs in: those of a group are alike but for id and body. In ARGV from \`at\` on: their ids as a block has them, then id and body of each. */
export const accepting: string = `
local function waiting(queue)
  local n = 0
  for _, state in ipairs({ 'queued ', 'scheduled ' }) do
    local field = state .. queue
    n = n + (tonumber(redis.call('HGET', K .. 'counts', field)) or 0) + (counts[field] or 0)
  end
  return n
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

local function place(g, ids, bodies, rests)
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
    if redis.call('RPUSH', K .. 'fresh:' .. g.queue .. ':' .. g.priority, first) == 1 then hints[g.queue] = true end
    publish(ids)
    count(g.queue, 'queued', n)
  end
  tellOf(0, g.queue, g.task, g.attempt or 0, n, g.prefix, rests)
end

-- Answers in out, for each job that is not taken: its number, why, and what is known of the one before.
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
    local room = g.room and g.room - waiting(g.queue) or g.n
    local newIds, newBodies, newRests = {}, {}, {}
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
    if #newIds == g.n then
      place(g, ids, bodies, rests)
    elseif #newIds > 0 then
      for i, id in ipairs(newIds) do newRests[i] = string.sub(id, #g.prefix + 1) end
      place(g, newIds, newBodies, table.concat(newRests, ' '))
    end
    nth = nth + g.n
  end
  return at
end
`

/** Forgets ended jobs and all that is known of them. */
export const forgetting: string = `
-- A block goes when the last of its jobs does; so does its place in the list of those that were never claimed.
local function forgetBlock(block)
  redis.call('XDEL', K .. 'order', block.first .. '-0')
  local _, queue, priority = kindOf(block.k)
  local fresh = K .. 'fresh:' .. queue .. ':' .. priority
  local head = redis.call('LINDEX', fresh, 0)
  local first = head and refOf(head)
  if not first or tonumber(first) > block.first then return end
  redis.call('LREM', fresh, 1, tonumber(first) == block.first and head or block.first)
end

local function leaveBlocks(seqs)
  table.sort(seqs)
  local i = 1
  while i <= #seqs do
    local block, gone = blockAround(seqs[i]), 0
    local n = block and tonumber(block.n) or 0
    local last = block and block.first + n - 1 or seqs[i]
    while i <= #seqs and seqs[i] <= last do i, gone = i + 1, gone + 1 end
    local first = block and block.first
    if gone == n and n > 0 then
      forgetBlock(block)
    elseif n > 0 and redis.call('HINCRBY', K .. 'left', first, gone) == n then
      redis.call('HDEL', K .. 'left', first)
      forgetBlock(block)
    end
  end
end

local function forget(ids)
  local seqs = {}
  for _, body in ipairs(redis.call('HMGET', K .. 'jobs', unpack(ids))) do
    if body then
      local seq, few = string.match(body, '^(%d+)|%d+|%w+|[^|\\n]*|?([^\\n]*)\\n')
      if seq then seqs[#seqs + 1] = tonumber(seq) end
      if few and few ~= '' then
        local once = cjson.decode(few).once
        if once then redis.call('HDEL', K .. 'once', once[1]) end
      end
    end
  end
  for _, name in ipairs({ 'jobs', 'state', 'notes' }) do redis.call('HDEL', K .. name, unpack(ids)) end
  leaveBlocks(seqs)
end
`

/** Ranks as TypeScript has them. */
export const ranking: string = `
local function rankOf(accepted, priority) return accepted - priority * ${AGING_MS} end
`
