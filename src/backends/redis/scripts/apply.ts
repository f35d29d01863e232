/**
 * Makes moves that TypeScript has decided. The jobs of a group are alike but for the id; each move is made where the header
 * is the one that TypeScript saw (`was`, empty for a job that was never touched). Answers the places of those that were not,
 * as group and number from 0. `again`: the answer to the same call was lost, so what already is as it should be counts as
 * done. `whole`: all are made or none. The first write could only free memory: after it a full server refuses none of the
 * others, and lets jobs end.
 */
export const applyScript: string = `
if not areKindsKnown() then return { 'kinds' } end
local refused, isRefused = {}, {}

local function noted(id, fault)
  local text = redis.call('HGET', K .. 'notes', id)
  local notes = text and cjson.decode(text) or {}
  local faults = notes.faults or {}
  faults[#faults + 1] = fault
  while #faults > args.maxFaults do table.remove(faults, 1) end
  notes.faults = faults
  redis.call('HSET', K .. 'notes', id, cjson.encode(notes))
end

local function leave(g, ids)
  if g.from == 'leases' or g.from == 'scheduled' or g.from == 'dead' then
    redis.call('ZREM', K .. g.from, unpack(ids))
  elseif g.from == 'ready' then
    redis.call('ZREM', K .. 'ready:' .. g.queue, g.member)
  end
  if g.dropDeadline then redis.call('ZREM', K .. 'deadlines', unpack(ids)) end
end

local function enter(g, ids)
  if g.to == 'done' or g.to == 'cancelled' then redis.call('RPUSH', K .. g.to, unpack(ids))
  elseif g.to == 'dead' or g.to == 'scheduled' then redis.call('ZADD', K .. g.to, g.score, ids[1])
  elseif g.to == 'ready' then
    redis.call('ZADD', K .. 'ready:' .. g.queue, g.score, g.member)
    opened(g.queue, ids)
  end
  if g.deadline then redis.call('ZADD', K .. 'deadlines', g.deadline, ids[1]) end
end

local plans = {}
for nth, g in ipairs(args.groups) do
  local headers = redis.call('HMGET', K .. 'state', unpack(g.ids))
  local ids, rows, becomes, results = {}, {}, g.becomes, g.results
  for i, id in ipairs(g.ids) do
    local is = headers[i] or ''
    local text = results and (becomes .. '\\n' .. results[i]) or becomes
    if is == g.was and (is ~= '' or redis.call('HEXISTS', K .. 'jobs', id) == 1) then
      local at = #ids + 1
      ids[at], rows[2 * at - 1], rows[2 * at] = id, id, text
    elseif not (args.again and is == text) then
      refused[#refused + 1] = nth - 1
      refused[#refused + 1] = i - 1
      isRefused[id] = true
    end
  end
  plans[nth] = { ids, rows }
end
if args.whole and #refused > 0 then return refused end
redis.call('HDEL', K .. 'notes', '')

for nth, g in ipairs(args.groups) do
  local ids, rows = plans[nth][1], plans[nth][2]
  if #ids > 0 then
    leave(g, ids)
    if g.to == 'gone' then
      forget(ids)
      count(g.queue, 'forgotten', #ids)
    else
      redis.call('HSET', K .. 'state', unpack(rows))
      if g.fault then noted(ids[1], g.fault) end
      enter(g, ids)
    end
    if g.key then
      local line = K .. 'line:' .. g.queue .. ' ' .. g.key
      if g.line then redis.call('ZADD', line, g.line, g.member) else redis.call('ZREM', line, g.member) end
      settleLine(g.queue, g.key)
    end
    if g.before ~= g.after then
      count(g.queue, g.before, -#ids)
      if g.after then count(g.queue, g.after, #ids) end
    end
    if g.bytes then count(g.queue, 'bytes', g.bytes) end
    if g.failed then count(g.queue, 'failed', #ids) end
    if g.event then tell(g.event, g.queue, g.task, g.attempt, ids) end
  end
end

if args.stray then
  for name, ids in pairs(args.stray) do redis.call('ZREM', K .. name, unpack(ids)) end
end

-- What follows the ends, but of those alone that were made.
local at, out = 2, {}
for _, f in ipairs(args.follow or {}) do
  if isRefused[f.parent] then at = behind({ f }, at) else at = accept({ f }, at, out) end
end
finish()
return refused
`
