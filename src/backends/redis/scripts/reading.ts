const records = `
local function records(ids, out)
  if #ids == 0 then return out end
  local bodies = redis.call('HMGET', K .. 'jobs', unpack(ids))
  local headers = redis.call('HMGET', K .. 'state', unpack(ids))
  local notes = redis.call('HMGET', K .. 'notes', unpack(ids))
  local leases = redis.call('ZMSCORE', K .. 'leases', unpack(ids))
  for i, id in ipairs(ids) do
    local kind = bodies[i] and string.match(bodies[i], '^%d+|(%d+)|')
    if kind then kindOf(kind) end
    out[#out + 1] = id
    out[#out + 1] = bodies[i] or ''
    out[#out + 1] = headers[i] or ''
    out[#out + 1] = notes[i] or ''
    out[#out + 1] = leases[i] or ''
  end
  return out
end
`

/** What time alone moves now: the ids of each kind with their jobs, and when the next is due. */
export const dueScript: string = `${records}
local due = nextDue()
local out = { due and string.format('%d', due) or '', {} }
for _, name in ipairs({ 'scheduled', 'leases', 'deadlines' }) do
  local ids = redis.call('ZRANGEBYSCORE', K .. name, '-inf', now, 'LIMIT', 0, args.limit)
  out[#out + 1] = records(ids, {})
end
out[2] = kindsMet()
return out
`

/**
 * Jobs with what is known of them, and the number of the last event: those named, those of a state that has an index of its
 * own, or the next in the order of acceptance, newest first. Of these, what is of another queue, task, state or time is left out,
 * and what has not each of `marks` in it; a call looks at about `look` of them and blocks, of which one that is long counts for
 * several.
 */
export const pageScript: string = `${records}
local events = redis.call('HGET', K .. 'meta', 'events') or '0'
local function answer(last, ids)
  local rows = records(ids, {})
  return { events, last, kindsMet(), rows }
end
if args.ids then return answer('', args.ids) end
if args.index then
  if redis.call('ZCARD', K .. args.index) > args.few then return answer('many', {}) end
  return answer('', redis.call('ZRANGE', K .. args.index, 0, -1))
end

-- A job that was forgotten and came again stands in a newer block as well: only its own number is meant.
local function isMeant(body, seq)
  for _, mark in ipairs(args.marks) do
    if not string.find(body, mark, 1, true) then return false end
  end
  if tonumber((string.match(body, '^%d+'))) ~= seq then return false end
  if not args.from and not args.to then return true end
  local accepted, age = string.match(body, '^%d+|%d+|(%w+)|([^|\\n]*)')
  local created = accepted and tonumber(accepted, 36) - (tonumber(age) or 0)
  return created and (not args.from or created >= args.from) and (not args.to or created < args.to)
end

local function isOfKind(block)
  local task, queue = kindOf(block.k)
  return (not args.task or args.task == task) and (not args.queue or args.queue == queue)
end

-- One that waits and was never touched has no header.
local function isInState(header)
  if not header then return args.state == 'q' end
  local state = string.match(header, '^{"s":"(%a)"')
  return not state or state == args.state
end

-- Reading so many bytes takes as long as looking at one more.
local LONG = 4096
local ids, last, looked, before = {}, '', 0, args.before
local function isOver() return #ids >= args.limit or looked >= args.look end
local function lookInto(block)
  local all = idsOf(block)
  local headers = args.state and redis.call('HMGET', K .. 'state', unpack(all))
  for i = #all, 1, -1 do
    if isOver() then break end
    local seq = block.first + i - 1
    if not before or seq < before then
      local body = (not headers or isInState(headers[i])) and redis.call('HGET', K .. 'jobs', all[i])
      if body and isMeant(body, seq) then ids[#ids + 1] = all[i] end
      last = string.format('%d', seq)
      looked = looked + 1 + (body and #body / LONG or 0)
    end
  end
end

-- A few blocks at a time: one may hold more than are wanted.
local from = before and string.format('%d-0', before - 1) or '+'
while not isOver() do
  local entries = redis.call('XREVRANGE', K .. 'order', from, '-', 'COUNT', 8)
  if #entries == 0 then break end
  for _, entry in ipairs(entries) do
    if isOver() then break end
    local block = readBlock(entry)
    if isOfKind(block) then
      lookInto(block)
    else
      last = string.format('%d', block.first)
      looked = looked + 1
    end
    from = '(' .. entry[1]
  end
end
return answer(last, ids)
`

/** Every queue that ever had a job, or is paused. */
export const queuesScript: string = `
local out, seen = {}, {}
local function add(queue)
  if queue and not seen[queue] then
    seen[queue] = true
    out[#out + 1] = queue
  end
end
for _, field in ipairs(redis.call('HKEYS', K .. 'counts')) do add(string.match(field, '^%a+ (.*)$')) end
for _, queue in ipairs(redis.call('SMEMBERS', K .. 'paused')) do add(queue) end
return out
`

/** Of each queue: what is counted, whether it is paused, and when the oldest of its ready jobs was made. */
export const depthScript: string = `
local function oldestIn(queue)
  local oldest
  local function look(ids)
    if #ids == 0 then return end
    local bodies = redis.call('HMGET', K .. 'jobs', unpack(ids))
    for i = 1, #ids do
      local accepted, later = string.match(bodies[i] or '', '^%d+|%d+|(%w+)|([^|\\n]*)')
      local created = accepted and tonumber(accepted, 36) - (tonumber(later) or 0)
      if created and (not oldest or created < oldest) then oldest = created end
    end
  end
  for priority = 0, 9 do
    local fresh, key = {}, K .. 'fresh:' .. queue .. ':' .. priority
    for _, ref in ipairs(redis.call('LRANGE', key, 0, args.few - 1)) do
      local first, from = refOf(ref)
      local block = blockOf(first)
      for _, id in ipairs(block and idsFrom(block, from, args.few - #fresh) or {}) do
        if redis.call('HEXISTS', K .. 'state', id) == 0 then fresh[#fresh + 1] = id end
      end
      if #fresh >= args.few then break end
    end
    look(fresh)
  end
  local ids = {}
  for i, member in ipairs(redis.call('ZRANGE', K .. 'ready:' .. queue, 0, args.few - 1)) do
    ids[i] = string.sub(member, 17)
  end
  look(ids)
  return oldest and string.format('%d', oldest) or ''
end

local out = {}
for nth, queue in ipairs(args.queues) do
  local fields = {}
  for i, what in ipairs(args.counted) do fields[i] = what .. ' ' .. queue end
  local numbers = redis.call('HMGET', K .. 'counts', unpack(fields))
  out[nth] = { numbers, redis.call('SISMEMBER', K .. 'paused', queue), oldestIn(queue) }
end
return out
`

/** Events after a number: that of the last one, that of the first that is kept, and the entries that hold those asked for. */
export const eventsScript: string = `
local last = tonumber(redis.call('HGET', K .. 'meta', 'events')) or 0
if not args.after or args.after >= last then return { last, 0, {} } end
local first = redis.call('XRANGE', K .. 'events', '-', '+', 'COUNT', 1)[1]
if not first then return { last, last + 1, {} } end
local from = redis.call('XREVRANGE', K .. 'events', args.after + 1, '-', 'COUNT', 1)[1] or first
local entries = redis.call('XRANGE', K .. 'events', from[1], '+', 'COUNT', args.limit)
local out = {}
for _, entry in ipairs(entries) do
  local fields = entry[2]
  local wanted = not args.types or bit.band(tonumber(fields[6]), args.types) ~= 0
  out[#out + 1] = string.match(entry[1], '^%d+')
  out[#out + 1] = fields[2]
  out[#out + 1] = fields[4]
  out[#out + 1] = wanted and fields[8] or '[]'
end
return { last, tonumber((string.match(first[1], '^%d+'))), out }
`
