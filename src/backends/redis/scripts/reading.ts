const records = `
local function records(ids, out)
  if #ids == 0 then return out end
  local bodies = redis.call('HMGET', K .. 'jobs', unpack(ids))
  local headers = redis.call('HMGET', K .. 'state', unpack(ids))
  local notes = redis.call('HMGET', K .. 'notes', unpack(ids))
  local leases = redis.call('ZMSCORE', K .. 'leases', unpack(ids))
  for i, id in ipairs(ids) do
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
local out = { '' }
local due = nextDue()
if due then out[1] = string.format('%d', due) end
for _, name in ipairs({ 'scheduled', 'leases', 'deadlines' }) do
  local ids = redis.call('ZRANGEBYSCORE', K .. name, '-inf', now, 'LIMIT', 0, args.limit)
  out[#out + 1] = records(ids, {})
end
return out
`

/**
 * Jobs with what is known of them, and the number of the last event: those named, those of a state that has an index of its
 * own, or the next in the order of acceptance, newest first.
 */
export const pageScript: string = `${records}
local events = redis.call('HGET', K .. 'meta', 'events') or '0'
if args.ids then return { events, '', records(args.ids, {}) } end
if args.index then
  if redis.call('ZCARD', K .. args.index) > args.few then return { events, 'many', {} } end
  return { events, '', records(redis.call('ZRANGE', K .. args.index, 0, -1), {}) }
end
local ids, last = {}, ''
for _, entry in ipairs(redis.call('XREVRANGE', K .. 'order', args.before, '-', 'COUNT', args.limit)) do
  ids[#ids + 1] = entry[2][2]
  last = entry[1]
end
return { events, last, records(ids, {}) }
`

/** The numbers of a queue, and when the oldest of its ready jobs was made. */
export const depthScript: string = `
local out = {}
for i, state in ipairs({ 'queued', 'running', 'scheduled', 'dead' }) do
  out[i] = tonumber(redis.call('HGET', K .. 'counts', state .. ' ' .. args.queue)) or 0
end
out[5] = redis.call('SISMEMBER', K .. 'paused', args.queue)
local oldest
local function look(ids)
  if #ids == 0 then return end
  local bodies = redis.call('HMGET', K .. 'jobs', unpack(ids))
  for i = 1, #ids do
    local created = bodies[i] and string.match(bodies[i], '^%d+|%d+|[^|]*|[^|]*|%d+|%d+|([^|]*)|')
    created = created and tonumber(created)
    if created and (not oldest or created < oldest) then oldest = created end
  end
end
if out[1] > 0 then
  for priority = 0, 9 do
    local fresh = {}
    for _, id in ipairs(redis.call('LRANGE', K .. 'fresh:' .. args.queue .. ':' .. priority, 0, args.few - 1)) do
      if redis.call('HEXISTS', K .. 'state', id) == 0 then fresh[#fresh + 1] = id end
    end
    look(fresh)
  end
  local ids = {}
  for i, member in ipairs(redis.call('ZRANGE', K .. 'ready:' .. args.queue, 0, args.few - 1)) do
    ids[i] = string.sub(member, 17)
  end
  look(ids)
end
out[6] = oldest and string.format('%d', oldest) or ''
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
